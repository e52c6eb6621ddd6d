package processes

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/applog"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/deployer/platform/startup"
)

// Run implements runner.Runner.
func (r *Runner) Run(ctx context.Context, v runner.Version, c runner.Command) (runner.Exit, error) {
	if err := startup.Check(v); err != nil {
		return runner.Exit{}, err
	}
	if !core.ValidName(v.User) || !core.ValidName(v.App) {
		return runner.Exit{}, fmt.Errorf("processes: invalid app name %q", key(v.User, v.App))
	}
	a := r.app(v.User, v.App)
	ctx, done, err := a.commands.Begin(ctx)
	if err != nil {
		return runner.Exit{}, err
	}
	defer done()
	r.mu.RLock()
	open := r.open
	r.mu.RUnlock()
	if !open {
		return runner.Exit{}, core.NewError(core.CodePlatformBusy, "", nil)
	}
	exit, err := a.run(ctx, v, c)
	if err != nil {
		return runner.Exit{}, fmt.Errorf("processes: running %s: %w", c.Name, err)
	}
	return exit, nil
}

// run runs a command, until ctx ends.
func (a *application) run(ctx context.Context, v runner.Version, c runner.Command) (runner.Exit, error) {
	r := a.runner
	as, err := r.Credential(a.user, a.name)
	if err != nil {
		return runner.Exit{}, err
	}
	if err := r.reachable(ctx, v.Dir, as); err != nil {
		return runner.Exit{}, err
	}
	cmd, err := a.command(v, c.Shell, 0)
	if err != nil {
		return runner.Exit{}, err
	}
	d := &drone{
		slot:   &slot{process: c.Name, command: c.Shell, number: 1},
		memory: r.limits(v).Memory, started: r.o.Now(), out: newCapture(c.Name, 1, a.journal, applog.NewMask(v.Env), r.o.Now),
	}
	if c.In != nil {
		end, err := feed(cmd, c.In)
		if err != nil {
			return runner.Exit{}, err
		}
		defer end()
	}
	mark := r.Mark() + rand.Text()
	if c.Out != nil {
		cmd.Stdout, cmd.Stderr = c.Out, c.Out
		d.group, err = r.cgroups.Start(cmd, mark, r.limits(v))
	} else {
		err = d.start(cmd, mark, r.cgroups, r.limits(v))
	}
	if err != nil {
		d.out.close()
		return runner.Exit{}, err
	}
	grace := r.o.Grace
	select {
	case <-d.group.Exited():
		grace = 0 // processes that it left are not needed
	case <-ctx.Done():
	}
	end, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(r.hurry, cancel)() //nolint:contextcheck // the server must not wait any longer
	err = a.end(end, d, grace)
	if err := ctx.Err(); err != nil && grace > 0 {
		return runner.Exit{}, err
	}
	return runner.Exit{Code: exitCode(err), Reason: d.exitText(err), Detail: d.out.lastText()}, nil
}

// feed makes the standard input of cmd what in has. end closes it; nothing waits for
// a Read of in that blocks, as os/exec would.
func feed(cmd *exec.Cmd, in io.Reader) (end func(), err error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdin = read
	go func() {
		_, _ = io.Copy(write, in) // it fails if the command does not read everything
		_ = write.Close()
	}()
	return func() {
		_ = read.Close()
		_ = write.Close()
	}, nil
}

// exitCode returns the exit code of a process as a shell has it.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	status, ok := waitStatus(err)
	switch {
	case !ok:
		return 1
	case status.Signaled():
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
