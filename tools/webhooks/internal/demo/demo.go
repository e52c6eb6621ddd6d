package demo

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

// Options says how the demo runs.
type Options struct {
	Program string    // path of the webhooks program
	Once    bool      // end when all of it worked, instead of serving on
	Out     io.Writer // what is told
}

const (
	user   = "dscape"
	branch = "main"
)

// demo is one run.
type demo struct {
	o        Options
	dir      string
	password core.Secret
	server   *server
	github   *sim.Server
}

// Run shows the demo. It returns nil only if everything that it shows was so,
// and leaves nothing behind.
func Run(ctx context.Context, o Options) (err error) {
	d := &demo{o: o, password: core.Secret(rand.Text())}
	d.dir, err = os.MkdirTemp("", "webhooks-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
	if err := os.Chmod(d.dir, 0o711); err != nil { //nolint:gosec // the apps' own users pass through it
		return err
	}
	if err := d.startGitHub(ctx); err != nil {
		return fmt.Errorf("the stand-in for GitHub: %w", err)
	}
	defer func() { err = errors.Join(err, d.github.Stop(context.WithoutCancel(ctx))) }()
	d.say("Starting the server, with nothing but its defaults")
	d.server, err = startServer(ctx, o.Program, filepath.Join(d.dir, "data"), d.github)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.server.stop()) }()
	d.tell("API   %s\nApps  %s\nLog   %s", d.server.api, d.server.apps, d.server.log)
	if err := d.show(ctx); err != nil {
		return err
	}
	if d.o.Once {
		d.say("All of it worked")
		return nil
	}
	d.say("Both apps are running. Ctrl-C ends the demo")
	d.tell("curl -u %s:%s '%s/1/status/%s/changes?since=0&feed=normal'", user, d.password.Reveal(), d.server.api, user)
	select {
	case <-ctx.Done():
		return nil
	case <-d.server.exited:
		return errors.New("the server ended by itself")
	}
}

// show lets everything happen.
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

	d.say("A push to %s/hello-world-api, which is deployed at once", user)
	if err := d.push(ctx, "hello"); err != nil {
		return err
	}
	if err := feed.until(ctx, "hello-world-api", core.StatusOK); err != nil {
		return err
	}
	d.say("A push to %s/tested-api, whose .travis.yml says to wait for Travis CI", user)
	if err := d.push(ctx, "travis"); err != nil {
		return err
	}
	if err := feed.until(ctx, "tested-api", core.StatusHeld); err != nil {
		return err
	}
	d.say("Travis CI reports that the build passed")
	if err := d.report(ctx); err != nil {
		return err
	}
	if err := feed.until(ctx, "tested-api", core.StatusOK); err != nil {
		return err
	}
	d.say("The apps answer")
	for app, want := range map[string]string{"hello-world-api": "hello world", "tested-api": "tested by Travis CI"} {
		text, err := d.server.ask(ctx, app)
		if err != nil {
			return err
		}
		d.tell("%s  %s", d.server.appURL(app), text)
		if !strings.Contains(text, want) {
			return fmt.Errorf("%s answers %q, which is not its text", app, text)
		}
	}
	return nil
}

func (d *demo) say(format string, args ...any) {
	_, _ = fmt.Fprintf(d.o.Out, "\n==> "+format+"\n", args...)
}

func (d *demo) tell(format string, args ...any) {
	for line := range strings.Lines(fmt.Sprintf(format, args...)) {
		_, _ = fmt.Fprintf(d.o.Out, "    %s\n", strings.TrimRight(line, "\n"))
	}
}
