package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A repository runs git's plumbing against an index of its own, so that the
// person's index and work tree are left alone.
type repository struct {
	root  string
	index string // a file in a temporary folder
}

// openRepository takes root, which must be the top of a git work tree. The
// index is kept in scratch, which the caller removes.
func openRepository(ctx context.Context, root, scratch string) (*repository, error) {
	r := &repository{root: root, index: filepath.Join(scratch, "index")}
	below, err := r.git(ctx, "", "rev-parse", "--show-prefix")
	if err != nil {
		return nil, err
	}
	if below != "" {
		return nil, fmt.Errorf("%s is not the top of its git repository: tags are named after folders at the top", root)
	}
	return r, nil
}

// git runs one git command and returns what it printed, trimmed.
func (r *repository) git(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...) //nolint:gosec // the arguments are ours
	cmd.Dir = r.root
	cmd.Stdin = strings.NewReader(stdin)
	for _, setting := range os.Environ() {
		// A git hook hands these down; they would point us at its index.
		if name, _, _ := strings.Cut(setting, "="); name != "GIT_DIR" && name != "GIT_WORK_TREE" {
			cmd.Env = append(cmd.Env, setting)
		}
	}
	cmd.Env = append(cmd.Env, "GIT_INDEX_FILE="+r.index, "GIT_OPTIONAL_LOCKS=0", "PWD="+r.root)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimRight(stdout.String(), "\n"), nil
}

// read fills the index with the tree of a commit.
func (r *repository) read(ctx context.Context, commit string) error {
	_, err := r.git(ctx, "", "read-tree", commit)
	return err
}

// put sets one file in the index.
func (r *repository) put(ctx context.Context, name string, data []byte) error {
	blob, err := r.git(ctx, string(data), "hash-object", "-w", "--stdin")
	if err != nil {
		return err
	}
	_, err = r.git(ctx, "", "update-index", "--add", "--cacheinfo", "100644,"+blob+","+name)
	return err
}

// file reads one file of the index; without such a file it is empty.
func (r *repository) file(ctx context.Context, name string) ([]byte, error) {
	found, err := r.git(ctx, "", "ls-files", "--cached", "--", name)
	if err != nil || found == "" {
		return nil, err
	}
	text, err := r.git(ctx, "", "cat-file", "blob", ":"+name)
	if err != nil {
		return nil, err
	}
	return []byte(text + "\n"), nil
}

// tree writes the index as a tree and returns its id.
func (r *repository) tree(ctx context.Context) (string, error) {
	return r.git(ctx, "", "write-tree")
}

// export writes every file of the index below dir.
func (r *repository) export(ctx context.Context, dir string) error {
	_, err := r.git(ctx, "", "checkout-index", "--all", "--prefix="+dir+string(filepath.Separator))
	return err
}

// createTags makes annotated tags of one commit, all of them or none, and none
// that exists already.
func (r *repository) createTags(ctx context.Context, commit string, names []string) error {
	tagger, err := r.git(ctx, "", "var", "GIT_COMMITTER_IDENT")
	if err != nil {
		return err
	}
	var refs strings.Builder
	for _, name := range names {
		object, err := r.git(ctx, fmt.Sprintf("object %s\ntype commit\ntag %s\ntagger %s\n\n%s\n", commit, name, tagger, name), "mktag")
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(&refs, "create refs/tags/%s %s\n", name, object)
	}
	_, err = r.git(ctx, "start\n"+refs.String()+"prepare\ncommit\n", "update-ref", "--stdin")
	return err
}
