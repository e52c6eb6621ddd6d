package forgesim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// git runs git on the repository, without the settings of the user that runs it. No
// argument that came from outside begins with a dash.
func (r *repository) git(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"--git-dir=" + r.dir}, args...)...) //nolint:gosec // see above
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LC_ALL=C",
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}

// commit returns the id of a commit by its id or its branch.
func (r *repository) commit(ctx context.Context, name string) (id string, found bool) {
	if name == "" || strings.HasPrefix(name, "-") || strings.ContainsAny(name, " ^~:\x00") {
		return "", false
	}
	out, err := r.git(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}")
	return strings.TrimSpace(string(out)), err == nil
}

var errNoFile = errors.New("no such file")

func (r *repository) file(ctx context.Context, commit, path string) ([]byte, error) {
	id, found := r.commit(ctx, commit)
	if !found || path == "" {
		return nil, errNoFile
	}
	return r.git(ctx, "cat-file", "blob", id+":"+path)
}

func (r *repository) archive(ctx context.Context, commit, folder string) ([]byte, error) {
	id, found := r.commit(ctx, commit)
	if !found {
		return nil, errNoFile
	}
	return r.git(ctx, "archive", "--format=tar.gz", "--prefix="+folder+"-"+id+"/", id)
}

// branches returns the commit of each branch.
func (r *repository) branches(ctx context.Context) (map[string]string, error) {
	out, err := r.git(ctx, "for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads")
	if err != nil {
		return nil, err
	}
	branches := map[string]string{}
	for line := range strings.Lines(string(out)) {
		id, branch, _ := strings.Cut(strings.TrimSpace(line), " ")
		branches[branch] = id
	}
	return branches, nil
}

// message returns the message of a commit.
func (r *repository) message(ctx context.Context, commit string) string {
	out, _ := r.git(ctx, "log", "-1", "--format=%B", commit) // "" if there is none
	return strings.TrimSpace(string(out))
}

// zero is the id of no commit.
const zero = "0000000000000000000000000000000000000000"
