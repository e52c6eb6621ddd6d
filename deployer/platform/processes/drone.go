package processes

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/applog"
	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
	"github.com/nodejitsu/webhooks/deployer/platform/processes/keeper"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/deployer/platform/startup"
)

// portTries is how many ports are tried for a drone if other processes bind them
// first.
const portTries = 3

// errPortLost means that another process bound the drone's port first.
var errPortLost = errors.New("processes: the port was bound by another process")

// drone is one running process of an app.
type drone struct {
	slot    *slot
	port    int // 0 if it has none
	addr    string
	memory  int64 // limit in bytes
	started time.Time
	group   program
	out     *capture
	lost    chan struct{} // closed when it no longer listens on its port

	refused atomic.Bool // it refused a connection since the last check
	silent  time.Time   // since when checks find no listener; zero if they do; used by check only

	// Guarded by the app's mutex.
	inFlight int
	drained  chan struct{} // not nil once it drains; closed when inFlight is 0
}

// awaitEnd waits until the drone has exited or lost its port. It returns false if
// ctx ends first.
func (d *drone) awaitEnd(ctx context.Context) bool {
	select {
	case <-d.group.Exited():
		return true
	case <-d.lost:
		return true
	case <-ctx.Done():
		return false
	}
}

// orphaned reports whether the drone goes on though its keeper was killed.
func (d *drone) orphaned() bool {
	c, ok := d.group.(*keeper.Client)
	return ok && c.Orphaned()
}

// launch starts a drone and waits until it is ready. If it fails, it ends all
// processes of the drone; the error has the code [core.CodePlatformStartFailed]
// if the app is the cause.
func (a *application) launch(ctx context.Context, v runner.Version, sl *slot) (*drone, error) {
	var d *drone
	var err error
	for range portTries {
		if d, err = a.begin(ctx, v, sl); err != nil {
			return nil, err
		}
		if d.addr == "" && d.port != 0 {
			err = a.awaitReady(ctx, d, v.Health)
		}
		if err == nil {
			a.ready(ctx, d)
			return d, nil
		}
		ours := a.ownsPort(d.port)
		// Ending it also reads the rest of its output, which is part of the error.
		exit := a.end(context.WithoutCancel(ctx), d, 0)
		if failed, ok := errors.AsType[*core.Error](err); ok {
			failed.Detail = d.lastText()
			if failed.Reason == "" {
				failed.Reason = fmt.Sprintf("%s %s before %s", d.slot.title(), d.exitText(exit), d.missing(v.Health))
			}
			failed.Reason = startup.Explained(sl.command, failed.Reason)
		}
		if !errors.Is(err, errPortLost) {
			return nil, err
		}
		if ours {
			return nil, &core.Error{Code: core.CodePlatformStartFailed, Detail: d.lastText(), Reason: fmt.Sprintf(
				"the port of %s was bound by another drone of the app: is it started by a daemon that both share, as pm2's? Give each its own, such as by PM2_HOME", d.slot.title())}
		}
	}
	return nil, err
}

// begin starts the process of a slot. It gets a port if it is the web process.
func (a *application) begin(ctx context.Context, v runner.Version, sl *slot) (*drone, error) {
	r := a.runner
	if d := sl.found; d != nil {
		sl.found = nil
		return d, nil
	}
	d := &drone{
		slot: sl, lost: make(chan struct{}),
		memory: r.limits(v).Memory, started: r.o.Now(), out: newCapture(sl.process, sl.number, a.journal, applog.NewMask(v.Env), r.o.Now),
	}
	var err error
	switch {
	case sl.process == "" && v.Static != "":
		err = d.serve(ctx, v, &r.ports)
	case sl.process == "":
		if d.port, err = r.ports.acquire(ctx); err == nil {
			err = d.run(ctx, v, a)
		}
	default:
		err = d.run(ctx, v, a)
	}
	if err != nil {
		d.out.close()
		r.ports.release(d.port)
		return nil, fmt.Errorf("processes: starting %s: %w", sl.title(), err)
	}
	return d, nil
}

// ready records that a drone is ready.
func (a *application) ready(ctx context.Context, d *drone) {
	a.runner.watch(d)
	if c, ok := d.group.(*keeper.Client); ok {
		if err := c.Ready(ctx, d.addr); err != nil { // the next server finds out by itself
			a.runner.o.Logger.WarnContext(ctx, "keeper not informed", "user", a.user, "app", a.name, "pid", d.group.Pid(), "error", err)
		}
	}
}

// serve serves a static site.
func (d *drone) serve(ctx context.Context, v runner.Version, p *ports) error {
	l, port, err := p.listen(ctx)
	if err != nil {
		return err
	}
	d.port, d.addr = port, l.Addr().String()
	d.group, err = serveStatic(v, l)
	return err
}

// run starts the process of a drone.
func (d *drone) run(ctx context.Context, v runner.Version, a *application) error {
	r := a.runner
	cmd, err := a.command(v, d.slot.command, d.port)
	if err != nil {
		return err
	}
	if len(r.o.Keeper) > 0 {
		return a.startKept(ctx, d, v, cmd)
	}
	return d.start(cmd, r.Mark()+rand.Text(), r.cgroups, r.limits(v))
}

// command returns a command of the app, as its user, in its folder and with its
// environment; port is 0 for none.
func (a *application) command(v runner.Version, text string, port int) (*exec.Cmd, error) {
	r := a.runner
	as, err := r.Credential(a.user, a.name)
	if err != nil {
		return nil, err
	}
	own, err := r.folders(a.user, a.name, as)
	if err != nil {
		return nil, fmt.Errorf("creating the app's folders: %w", err)
	}
	limits := r.limits(v)
	args := arguments(r.o, v, text, limits, as != nil)
	cmd := exec.Command(args[0], args[1:]...) //nolint:gosec,noctx // running apps is what this is for; group.End ends it
	cmd.Dir = v.Dir
	cmd.Env = environ(v, limits, port, own)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	return cmd, nil
}

// limits returns the limits of all processes of a drone or a command together.
func (r *Runner) limits(v runner.Version) group.Limits {
	return group.Limits{
		Memory: cmp.Or(v.Limits.Memory, r.o.Memory), CPUs: v.Limits.CPUs, Processes: cmp.Or(v.Limits.Processes, r.o.Processes),
	}
}

// CheckLimits implements runner.Runner.
func (r *Runner) CheckLimits(l runner.Limits) error {
	if l.CPUs > 0 && !r.cgroups.LimitCPUs() {
		return core.Errorf(core.CodePlatformInvalid, "The server can't limit processors, as it has no control groups (version 2) with the controller cpu; see its log")
	}
	return nil
}

func (d *drone) start(cmd *exec.Cmd, mark string, cgroups *group.Cgroups, limits group.Limits) error {
	stdout, err := d.out.pipe(runner.Stdout)
	if err != nil {
		return err
	}
	defer func() { _ = stdout.Close() }() // the child has its own
	stderr, err := d.out.pipe(runner.Stderr)
	if err != nil {
		return err
	}
	defer func() { _ = stderr.Close() }()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	d.group, err = cgroups.Start(cmd, mark, limits)
	return err
}

// end ends all processes of the drone, reads the rest of its output and releases
// its port. It returns the exit error of the drone's leader.
func (a *application) end(ctx context.Context, d *drone, grace time.Duration) error {
	r := a.runner
	r.unwatch(d)
	err := d.group.End(ctx, grace)
	if errors.Is(err, group.ErrSurvivors) {
		r.o.Logger.Error("drone not killed", "user", a.user, "app", a.name, "pid", d.group.Pid(), "error", err)
	}
	d.out.close()
	r.ports.release(d.port)
	if !errors.Is(err, group.ErrSurvivors) {
		r.forget(d.group)
	}
	return err
}

// lastText returns the drone's last lines. If it has a keeper, they are known when
// it has been ended.
func (d *drone) lastText() string {
	if c, ok := d.group.(*keeper.Client); ok {
		return c.LastText()
	}
	return d.out.lastText()
}
