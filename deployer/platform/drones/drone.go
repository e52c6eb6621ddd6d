package drones

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/drones/group"
)

// portTries is how many ports a drone is tried with that others take before it
// does.
const portTries = 3

// errPortLost says that somebody else got the drone's port before it did.
var errPortLost = errors.New("drones: the port was taken by another process")

// drone is one running process of an app.
type drone struct {
	number  int // counted from 1
	port    int
	addr    string
	started time.Time
	group   *group.Group
	out     *capture

	// Guarded by the app's mutex.
	inFlight int
	drained  chan struct{} // not nil once it drains; closed when inFlight is 0
}

// launch starts a drone and waits until it is ready. Where it does not get so
// far, no process is left, and the error is a [StartError] or ctx's.
func (a *application) launch(ctx context.Context, spec Spec, number int) (*drone, error) {
	var d *drone
	var err error
	for range portTries {
		if d, err = a.begin(ctx, spec, number); err != nil {
			return nil, err
		}
		if err = a.awaitReady(ctx, d, spec.Health); err == nil {
			return d, nil
		}
		// What it says of its own exit must be read before it is told.
		exit := a.end(context.WithoutCancel(ctx), d, 0)
		if failed, ok := errors.AsType[*StartError](err); ok {
			failed.Lines = d.out.last()
			if failed.Reason == "" {
				failed.Reason = fmt.Sprintf("drone %d %s before %s", number, d.exitText(exit), d.missing(spec.Health))
			}
		}
		if !errors.Is(err, errPortLost) {
			return nil, err
		}
	}
	return nil, err
}

// begin starts the process.
func (a *application) begin(ctx context.Context, spec Spec, number int) (*drone, error) {
	s := a.supervisor
	as, err := s.Credential(a.user, a.name)
	if err != nil {
		return nil, err
	}
	own, err := s.folders(a.user, a.name, as)
	if err != nil {
		return nil, fmt.Errorf("drones: making the app's folders: %w", err)
	}
	port, err := s.ports.take(ctx)
	if err != nil {
		return nil, fmt.Errorf("drones: %w", err)
	}
	d := &drone{
		number: number, port: port,
		started: s.o.Now(), out: newCapture(number, a.journal, newMask(s.o.Env, spec.Env), s.o.Now),
	}
	args := command(s.o, spec, as != nil)
	cmd := exec.Command(args[0], args[1:]...) //nolint:gosec,noctx // running apps is what this is for; group.End ends it
	cmd.Dir = spec.Dir
	cmd.Env = environ(s.o, spec, port, own)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	err = d.start(cmd, s.Mark()+rand.Text(), s.cgroups, group.Limits{Memory: s.o.Memory, Processes: s.o.Processes})
	if err != nil {
		d.out.close()
		s.ports.release(port)
		return nil, fmt.Errorf("drones: starting a drone: %w", err)
	}
	return d, nil
}

func (d *drone) start(cmd *exec.Cmd, mark string, cgroups *group.Cgroups, limits group.Limits) error {
	stdout, err := d.out.pipe(Stdout)
	if err != nil {
		return err
	}
	defer func() { _ = stdout.Close() }() // the child has its own
	stderr, err := d.out.pipe(Stderr)
	if err != nil {
		return err
	}
	defer func() { _ = stderr.Close() }()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	d.group, err = cgroups.Start(cmd, mark, limits)
	return err
}

// end ends the drone with all it started, reads the rest of its output and
// frees its port. It returns how the drone's leader exited.
func (a *application) end(ctx context.Context, d *drone, grace time.Duration) error {
	err := d.group.End(ctx, grace)
	if errors.Is(err, group.ErrSurvivors) {
		a.supervisor.o.Logger.Error("drone survives", "user", a.user, "app", a.name, "pid", d.group.Pid(), "error", err)
	}
	d.out.close()
	a.supervisor.ports.release(d.port)
	return err
}

// exitText tells how the drone exited, after its name, once it was ended.
func (d *drone) exitText(err error) string {
	if d.group.OutOfMemory() {
		return "needed more memory than an app may have, and was ended"
	}
	return exitText(err)
}

// exitText tells how a process exited, after its name.
func exitText(err error) string {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "exited with code 0"
	case !errors.As(err, &exit):
		return "ended: " + err.Error()
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return fmt.Sprintf("was ended by signal %d (%v)", status.Signal(), status.Signal())
	}
	return fmt.Sprintf("exited with code %d", exit.ExitCode())
}
