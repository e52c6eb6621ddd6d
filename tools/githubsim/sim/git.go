package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
)

// command returns a git command on the repository, without the settings of the
// user that runs it. No argument that came from outside may begin with a dash;
// see plainRef.
func (r *repository) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", append([]string{"--git-dir=" + r.dir}, args...)...) //nolint:gosec // see above
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LC_ALL=C",
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
	}
	return cmd
}

// git runs git and returns what it printed.
func (r *repository) git(ctx context.Context, args ...string) ([]byte, error) {
	cmd := r.command(ctx, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}

// plainRef reports whether a name can be that of a ref or a commit, and is neither
// an option nor an expression for git: what git-check-ref-format allows, except
// "@".
func plainRef(name string) bool {
	if name == "" || name == "@" || len(name) > 255 || strings.ContainsAny(name, "~^:?*[\\ \x7f") ||
		strings.Contains(name, "@{") || strings.Contains(name, "//") {
		return false
	}
	for i := range len(name) {
		if name[i] < ' ' {
			return false
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || part[0] == '-' || strings.HasSuffix(part, ".lock") || strings.Contains(part, "..") {
			return false
		}
	}
	return true
}

// commit returns the id of the commit that a branch, tag, ref or (perhaps
// shortened) id names, or errNoObject.
func (r *repository) commit(ctx context.Context, name string) (string, error) {
	if !plainRef(name) {
		return "", errNoObject
	}
	return r.resolve(ctx, name+"^{commit}")
}

// resolve returns the id of what a revision names, or errNoObject.
func (r *repository) resolve(ctx context.Context, revision string) (string, error) {
	out, err := r.git(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", revision)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		return "", errNoObject
	}
	return strings.TrimSpace(string(out)), err
}

// defaultBranch returns the branch that HEAD points to.
func (r *repository) defaultBranch(ctx context.Context) (string, error) {
	out, err := r.git(ctx, "symbolic-ref", "HEAD")
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "refs/heads/"), err
}

// refs returns the object of each branch and tag.
func (r *repository) refs(ctx context.Context) (map[string]string, error) {
	out, err := r.git(ctx, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags")
	if err != nil {
		return nil, err
	}
	refs := map[string]string{}
	for line := range strings.Lines(string(out)) {
		object, ref, _ := strings.Cut(strings.TrimSpace(line), " ")
		refs[ref] = object
	}
	return refs, nil
}

// entry is an entry of a tree.
type entry struct {
	mode, kind, object string
	size               int64 // of a blob
	name, path         string
}

// tree lists a folder at a commit; "" is the top.
func (r *repository) tree(ctx context.Context, commit, folder string) ([]entry, error) {
	object, err := r.resolve(ctx, commit+":"+folder)
	if err != nil {
		return nil, err
	}
	out, err := r.git(ctx, "ls-tree", "-z", "--long", object)
	if err != nil {
		return nil, errNoObject // a file, not a folder
	}
	var entries []entry
	for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		head, name, _ := strings.Cut(line, "\t")
		if fields := strings.Fields(head); len(fields) == 4 {
			size, _ := strconv.ParseInt(fields[3], 10, 64) // "-" unless it is a blob
			entries = append(entries, entry{fields[0], fields[1], fields[2], size, name, path.Join(folder, name)})
		}
	}
	return entries, nil
}

// find returns the entry at a path. It follows symbolic links within the
// repository, as the API does, and returns a broken link itself.
func (r *repository) find(ctx context.Context, commit, at string) (entry, error) {
	for range 8 {
		folder, name := path.Split(at)
		entries, err := r.tree(ctx, commit, strings.TrimSuffix(folder, "/"))
		if err != nil {
			return entry{}, err
		}
		found := entry{}
		for _, e := range entries {
			if e.name == name {
				found = e
			}
		}
		if found.name == "" {
			return entry{}, errNoObject
		}
		if found.mode != modeLink {
			return found, nil
		}
		target, err := r.git(ctx, "cat-file", "blob", found.object)
		if err != nil {
			return entry{}, err
		}
		next := path.Join(folder, string(target))
		if _, err := r.resolve(ctx, commit+":"+next); err != nil || !plainPath(next) || path.IsAbs(string(target)) {
			return found, nil
		}
		at = next
	}
	return entry{}, errNoObject
}

const modeLink = "120000"

// plainPath reports whether a path is inside a tree.
func plainPath(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsRune(part, 0) {
			return false
		}
	}
	return true
}
