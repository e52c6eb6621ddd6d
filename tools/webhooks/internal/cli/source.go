package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// source is where an app's files come from.
type source struct {
	dir    string
	commit string       // its id, of a repository that was cloned
	remove func() error // removes the clone; nil for a folder
}

// repository is a remote git repository.
type repository struct {
	url string
	ref string // branch, tag or id of a commit; "" for HEAD
}

// parseRepository reports whether text is the URL of a repository, and parses it.
// It accepts https, ssh and file only: other transports of git run a program that
// the URL names, or are not encrypted.
func parseRepository(text, ref string) (r repository, ok bool, err error) {
	if !strings.Contains(text, "://") && !strings.Contains(text, "::") {
		if _, err := os.Lstat(text); err != nil && shortForm.MatchString(text) {
			return repository{}, true, &usageError{fmt.Errorf("invalid repository: want a URL, such as ssh://%s", strings.Replace(text, ":", "/", 1))}
		}
		if ref != "" {
			return repository{}, false, &usageError{errors.New("--ref needs the URL of a repository; a folder is deployed as it is")}
		}
		return repository{}, false, nil
	}
	address, fragment, _ := strings.Cut(text, "#")
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return repository{}, true, &usageError{errors.New("invalid URL of a repository")}
	case u.Scheme != "https" && u.Scheme != "ssh" && u.Scheme != "file" || u.Opaque != "":
		return repository{}, true, &usageError{errors.New("invalid URL of a repository: want https://, ssh:// or file://")}
	case u.User != nil && (u.Scheme != "ssh" || hasPassword(u.User)):
		return repository{}, true, &usageError{errors.New("the URL of the repository must not contain credentials: git uses its credential helper, and ssh its agent")}
	case u.Scheme == "file" && (u.Host != "" || u.Path == ""), u.Scheme != "file" && u.Hostname() == "", strings.HasPrefix(u.Host, "-"):
		return repository{}, true, &usageError{errors.New("invalid URL of a repository: it has no host or no path")}
	}
	if fragment != "" {
		if ref != "" {
			return repository{}, true, &usageError{errors.New("set the branch, tag or commit once: after # or by --ref")}
		}
		if ref, err = url.PathUnescape(fragment); err != nil {
			ref = fragment
		}
	}
	if ref != "" && (len(ref) > longestRef || !plainRef.MatchString(ref) || strings.Contains(ref, "..") || strings.Contains(ref, "@{")) {
		return repository{}, true, &usageError{fmt.Errorf("invalid branch, tag or commit %.100q", ref)}
	}
	return repository{url: address, ref: ref}, true, nil
}

var (
	shortForm = regexp.MustCompile(`^[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:[^\s]+$`)
	// plainRef is stricter than git, so that a ref has no other meaning to it.
	plainRef = regexp.MustCompile(`^[\pL\pN_][^\pC\s~^:?*\[\\]*$`)
)

// longestRef is the limit of a ref's length in bytes. A repetition of its expression
// would be compiled 255 times, at each start of the program.
const longestRef = 255

func hasPassword(u *url.Userinfo) bool {
	_, has := u.Password()
	return has
}

// clone makes a shallow clone in a temporary folder.
func (r repository) clone(ctx context.Context, streams IO) (_ source, err error) {
	dir, err := os.MkdirTemp("", "webhooks-deploy-")
	if err != nil {
		return source{}, err
	}
	remove := func() error { return os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			err = errors.Join(err, remove())
		}
	}()
	for _, args := range r.commands(dir) {
		if _, err := git(ctx, streams, args...); err != nil {
			return source{}, err
		}
	}
	id, err := git(ctx, streams, "-C", dir, "rev-parse", "HEAD")
	if err != nil {
		return source{}, err
	}
	commit := strings.TrimSpace(id)
	if !core.ValidCommit(commit) {
		return source{}, errors.New("git: unexpected output of rev-parse")
	}
	return source{dir: dir, commit: commit, remove: remove}, nil
}

// commands returns the arguments for git. A commit that is named by its id cannot
// be cloned, only fetched.
func (r repository) commands(dir string) [][]string {
	if core.ValidCommit(r.ref) {
		return [][]string{
			{"init", "--quiet", "--template=", dir},
			{"-C", dir, "fetch", "--quiet", "--depth=1", "--no-tags", "--", r.url, r.ref},
			{"-C", dir, "checkout", "--quiet", "--detach", "FETCH_HEAD"},
		}
	}
	args := []string{"clone", "--quiet", "--depth=1", "--single-branch", "--template="}
	if r.ref != "" {
		args = append(args, "--branch="+r.ref)
	}
	return [][]string{append(args, "--", r.url, dir)}
}

// gitGrace is the time limit for processes that git has started to end.
const gitGrace = 5 * time.Second

// git runs git without a terminal, so that it does not prompt. The error of a
// failure has the message of git.
func git(ctx context.Context, streams IO, args ...string) (string, error) {
	safe := []string{"-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false", "-c", "submodule.recurse=false"}
	cmd := exec.CommandContext(ctx, "git", append(safe, args...)...) //nolint:gosec // no shell; each argument is checked
	cmd.Env = gitEnviron(streams.Environ)
	var out bytes.Buffer
	failure := &tail{limit: 2 << 10}
	cmd.Stdout, cmd.Stderr = &out, failure
	detach(cmd)
	cmd.WaitDelay = gitGrace
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return "", errors.New("git is not installed: it is needed to clone a repository")
	case err != nil:
		return "", &messageError{fmt.Sprintf("git: %s\nDoes the repository exist, and can you read it without a password prompt? git does not prompt here",
			strings.TrimSpace(printable(string(failure.text)))), err}
	}
	return out.String(), nil
}

// gitEnviron returns an environment in which git does not prompt, uses only the
// transports that parseRepository accepts, and has neither our credentials nor
// the settings of a repository whose hook may have called us.
func gitEnviron(environ []string) []string {
	env := slices.DeleteFunc(slices.Clone(environ), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		for _, kept := range []string{"GIT_SSH", "GIT_SSL_", "GIT_CONFIG_"} {
			if strings.HasPrefix(name, kept) && name != "GIT_CONFIG_PARAMETERS" {
				return false
			}
		}
		return strings.HasPrefix(name, "GIT_") || strings.HasPrefix(name, "WEBHOOKS_") || name == "SSH_ASKPASS"
	})
	return append(env, "GIT_ALLOW_PROTOCOL=https:ssh:file", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=",
		"SSH_ASKPASS_REQUIRE=never", "GCM_INTERACTIVE=never", "LC_ALL=C")
}

// tail keeps the last bytes of what is written to it.
type tail struct {
	limit int
	text  []byte
}

// Write appends p.
func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if over := len(t.text) - t.limit; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}
