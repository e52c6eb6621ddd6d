package main

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

// examples has the files of the two repositories. A file whose name begins with
// a dot is stored as dot-NAME, because an embedded folder leaves such files out.
//
//go:embed example
var examples embed.FS

// repositories are the folders of examples and the names on GitHub.
func repositories() map[string]string {
	return map[string]string{"hello": "hello-world-api", "travis": "tested-api"}
}

func (d *demo) startGitHub(ctx context.Context) error {
	d.github = sim.New(sim.Options{Dir: filepath.Join(d.dir, "github")})
	if err := d.github.Start(ctx, "127.0.0.1:0", "127.0.0.1:0"); err != nil {
		return err
	}
	for _, name := range repositories() {
		if _, err := d.github.CreateRepository(ctx, user, name, false); err != nil {
			return err
		}
	}
	return nil
}

// deployURL is the URL that a person enters at GitHub or Travis CI, with Basic
// authentication.
func (d *demo) deployURL() string {
	u, err := url.Parse(d.server.api)
	if err != nil {
		return ""
	}
	u.User = url.UserPassword(user, d.password.Reveal())
	return u.JoinPath("/1/deploy").String()
}

// push commits an example, pushes it with git, and has GitHub deliver its
// webhook.
func (d *demo) push(ctx context.Context, example string) error {
	name := repositories()[example]
	work := filepath.Join(d.dir, "work", name)
	if err := extract(example, work); err != nil {
		return err
	}
	remote, err := d.github.GitDir(user, name)
	if err != nil {
		return err
	}
	if _, err := d.github.Hook(ctx, user, name, d.deployURL(), sim.HookOptions{ContentType: "json"}); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch", branch},
		{"add", "--all"},
		{"commit", "--quiet", "--message", "Say hello"},
		{"push", "--quiet", remote, branch},
	} {
		if _, err := git(ctx, work, args...); err != nil {
			return err
		}
	}
	d.line("$ git push origin %s", branch)
	deliveries, err := d.github.Pushed(ctx, user, name)
	if err != nil {
		return err
	}
	for _, delivery := range deliveries {
		d.line("GitHub: POST /1/deploy (%s) → %d", delivery.Event, delivery.Status)
		if delivery.Err != nil || delivery.Status/100 != 2 {
			return fmt.Errorf("the answer to the webhook: %d %s (%w)", delivery.Status, delivery.Body, delivery.Err)
		}
	}
	if len(deliveries) == 0 {
		return fmt.Errorf("GitHub has delivered no webhook for the push to %s", name)
	}
	return nil
}

// report has Travis CI report that the build of the second repository passed.
func (d *demo) report(ctx context.Context) error {
	name := repositories()["travis"]
	commit, err := git(ctx, filepath.Join(d.dir, "work", name), "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	delivery, err := d.github.NotifyTravis(ctx, d.deployURL(), sim.TravisBuild{
		Owner: user, Repo: name, Commit: strings.TrimSpace(commit), Branch: branch, Message: "Say hello",
	})
	if err != nil {
		return err
	}
	d.line("Travis CI: POST /1/deploy → %d", delivery.Status)
	if delivery.Err != nil || delivery.Status/100 != 2 {
		return fmt.Errorf("the answer to the report: %d %s (%w)", delivery.Status, delivery.Body, delivery.Err)
	}
	return nil
}

// extract writes the files of an example to a folder.
func extract(example, to string) error {
	files, err := fs.Sub(examples, "example/"+example)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o750); err != nil {
		return err
	}
	return fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		if hidden, is := strings.CutPrefix(path, "dot-"); is {
			path = "." + hidden
		}
		return os.WriteFile(filepath.Join(to, path), content, 0o600)
	})
}

// git runs git as the demo's user, without the settings of the machine.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...) //nolint:gosec // the arguments are the demo's own
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME="+user, "GIT_AUTHOR_EMAIL="+user+"@example.com", "GIT_COMMITTER_NAME="+user, "GIT_COMMITTER_EMAIL="+user+"@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, out)
	}
	return string(out), nil
}
