package apps

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/project"
	"github.com/nodejitsu/webhooks/deployer/platform/cron"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// Exit is how a command ended.
type Exit = runner.Exit

const maxCommand = 64 << 10 // bytes

// Run runs a shell command once as the app, with the code and the environment of
// what runs, or of what the next start would run. Its input is in, or nothing if that
// is nil; its output is written to out. When ctx ends, so does the command. in may
// still be read when Run has returned.
func (a *Apps) Run(ctx context.Context, user, app, command string, in io.Reader, out io.Writer) (Exit, error) {
	d, err := a.docs.find(user, app)
	if err != nil {
		return Exit{}, err
	}
	if strings.TrimSpace(command) == "" || len(command) > maxCommand || strings.Contains(command, "\x00") {
		return Exit{}, core.Errorf(core.CodePlatformInvalid, "The command must be 1 to %d bytes without NUL", maxCommand)
	}
	if d.Running == nil {
		s, ok := d.next()
		if !ok {
			return Exit{}, core.NewError(core.CodePlatformNoSnapshots, "", nil)
		}
		if d, err = a.make(d, change{snapshot: s, drones: d.Drones, limits: d.Limits}); err != nil {
			return Exit{}, err
		}
	}
	v, err := a.version(d, d.visible)
	if err != nil {
		return Exit{}, err
	}
	exit, err := a.o.Runner.Run(ctx, v, runner.Command{Name: "run", Shell: command, In: in, Out: out})
	return exit, wrapped("running a command", err)
}

// repeatable is how far a clock may be set back for its minutes to be taken as repeated.
// One that was further ahead was wrong.
const repeatable = time.Hour

// followClock runs the commands of the apps that run by the clock, once for each minute:
// a clock that is set back repeats none.
func (a *Apps) followClock(ctx context.Context) {
	var last time.Time
	for {
		now := a.o.Now()
		next := now.Truncate(time.Minute).Add(time.Minute)
		timer := time.NewTimer(next.Sub(now))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		if ahead := last.Sub(next); ahead >= 0 && ahead < repeatable {
			continue
		}
		last = next
		a.tick(ctx, next.UTC())
	}
}

// tick starts the commands that are to run in a minute.
func (a *Apps) tick(ctx context.Context, minute time.Time) {
	all, err := a.docs.all("")
	if err != nil {
		a.o.Logger.ErrorContext(ctx, "commands by the clock not run", "error", err)
		return
	}
	for _, d := range all {
		if d.Running == nil {
			continue
		}
		s, _ := d.snapshot(d.Running.Snapshot)
		for _, job := range s.Cron {
			if schedule, err := cron.Parse(job.Schedule); err == nil && schedule.Matches(minute) {
				a.background(func(ctx context.Context) { a.runJob(ctx, d, job) })
			}
		}
	}
}

// runJob runs a command by the clock, unless it still runs from the last time. Its
// output, and how it failed, are in the app's log.
func (a *Apps) runJob(ctx context.Context, d document, job project.CronJob) {
	note := func(format string, args ...any) {
		a.o.Runner.Note(d.User, d.Name, fmt.Sprintf("the command %.100s, by the clock, ", job.Command)+fmt.Sprintf(format, args...))
	}
	id := key(d.User, d.Name) + " " + job.Schedule + " " + job.Command
	a.mu.Lock()
	running := a.jobs[id]
	a.jobs[id] = true
	a.mu.Unlock()
	if running {
		note("is not run again, as it still runs")
		return
	}
	v, err := a.version(d, d.visible)
	var exit runner.Exit
	if err == nil {
		exit, err = a.o.Runner.Run(ctx, v, runner.Command{Name: "cron", Shell: job.Command})
	}
	a.mu.Lock()
	delete(a.jobs, id)
	a.mu.Unlock()
	switch {
	case ctx.Err() != nil:
	case err != nil:
		a.o.Logger.ErrorContext(ctx, "command by the clock not run", "user", d.User, "app", d.Name, "error", err)
		note("did not run: %v", err)
	case exit.Code != 0:
		note("%s", exit.Reason)
	}
}
