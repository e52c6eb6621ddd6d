package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

type options struct {
	program string // path of the webhooks program
	once    bool   // end if everything worked, instead of serving on
	out     io.Writer
}

const (
	user   = "dscape"
	branch = "main"
)

// demo is one run.
type demo struct {
	options
	dir      string
	password core.Secret
	server   *server
	github   *sim.Server
}

// demonstrate runs the demo. It returns nil only if everything worked, and
// leaves nothing behind.
func demonstrate(ctx context.Context, o options) (err error) {
	d := &demo{options: o, password: core.NewSecret(rand.Text())}
	d.dir, err = os.MkdirTemp("", "webhooks-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
	if err := os.Chmod(d.dir, 0o711); err != nil { //nolint:gosec // the apps' own users pass through it
		return err
	}
	if err := d.startGitHub(ctx); err != nil {
		return fmt.Errorf("start the stand-in for GitHub: %w", err)
	}
	defer func() { err = errors.Join(err, d.github.Stop(context.WithoutCancel(ctx))) }()
	d.heading("Starting the server with its default settings")
	d.server, err = startServer(ctx, o.program, filepath.Join(d.dir, "data"), d.github)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.server.stop()) }()
	d.line("API   %s\nApps  %s\nLog   %s", d.server.api, d.server.apps, d.server.log)
	if err := d.show(ctx); err != nil {
		return err
	}
	if d.once {
		d.heading("Everything worked")
		return nil
	}
	d.heading("Both apps are running. Ctrl-C ends the demo")
	d.line("Open %s and sign in as %s with the password %s, or:", d.server.api, user, d.password.Reveal())
	d.line("curl -u %s:%s '%s/1/status/%s/changes?since=0&feed=normal'", user, d.password.Reveal(), d.server.api, user)
	select {
	case <-ctx.Done():
		return nil
	case <-d.server.exited:
		return errors.New("the server ended unexpectedly")
	}
}

// show pushes to both repositories, reports the build of the second one, and
// waits until the apps answer.
func (d *demo) show(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if err := d.server.addUser(ctx, user, d.password); err != nil {
		return err
	}
	feed, err := d.follow(ctx)
	if err != nil {
		return err
	}
	defer feed.close()

	d.heading("A push to %s/hello-world-api, which is deployed at once", user)
	if err := d.push(ctx, "hello"); err != nil {
		return err
	}
	if err := feed.until("hello-world-api", core.StatusOK); err != nil {
		return err
	}
	d.heading("A push to %s/tested-api, whose .travis.yml asks to wait for Travis CI", user)
	if err := d.push(ctx, "travis"); err != nil {
		return err
	}
	if err := feed.until("tested-api", core.StatusHeld); err != nil {
		return err
	}
	d.heading("Travis CI reports that the build passed")
	if err := d.report(ctx); err != nil {
		return err
	}
	if err := feed.until("tested-api", core.StatusOK); err != nil {
		return err
	}
	d.heading("The apps answer")
	for app, want := range map[string]string{"hello-world-api": "hello world", "tested-api": "tested by Travis CI"} {
		text, err := d.server.get(ctx, app)
		if err != nil {
			return err
		}
		d.line("%s  %s", d.server.appURL(app), text)
		if !strings.Contains(text, want) {
			return fmt.Errorf("%s answers %q, want %q", app, text, want)
		}
	}
	return nil
}

func (d *demo) heading(format string, args ...any) {
	_, _ = fmt.Fprintf(d.out, "\n==> "+format+"\n", args...)
}

// line prints indented lines.
func (d *demo) line(format string, args ...any) {
	for line := range strings.Lines(fmt.Sprintf(format, args...)) {
		_, _ = fmt.Fprintf(d.out, "    %s\n", strings.TrimRight(line, "\n"))
	}
}
