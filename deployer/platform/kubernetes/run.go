package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/applog"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// copyLimit is how long the output of a command is read after its end. Only if the API
// is away, it takes so long.
const copyLimit = time.Minute

// command is a command that runs once.
type command struct {
	app     *application
	name    string // of its pod
	source  source
	changed chan struct{} // size 1

	mu       sync.Mutex
	pod      *corev1.Pod
	gone     bool // the pod does not exist any more
	follower *follower
	tail     []string // its last lines
}

// observe implements observer.
func (c *command) observe(p *corev1.Pod, gone bool) {
	follower := c.app.runner.logs.follow(c.app, p, gone, &c.source)
	c.mu.Lock()
	c.pod, c.gone = p, gone
	if follower != nil {
		c.follower = follower
	}
	c.mu.Unlock()
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// Run implements runner.Runner.
func (r *Runner) Run(ctx context.Context, v runner.Version, c runner.Command) (runner.Exit, error) {
	if err := check(v); err != nil {
		return runner.Exit{}, err
	}
	if !core.ValidName(v.User) || !core.ValidName(v.App) {
		return runner.Exit{}, fmt.Errorf("kubernetes: invalid app name %q", key(v.User, v.App))
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
	ctx, stop := withoutInput(ctx, c.In)
	defer stop()
	exit, err := a.run(ctx, v, c)
	if err != nil {
		if refusal, ok := errors.AsType[*core.Error](context.Cause(ctx)); ok {
			err = refusal
		}
		return runner.Exit{}, wrapped("running "+c.Name, err)
	}
	return exit, nil
}

// withoutInput returns a context that ends as soon as in has something to read: a
// command in a cluster gets no input, and must not run without it.
func withoutInput(ctx context.Context, in io.Reader) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if in != nil {
		go func() {
			if n, _ := io.ReadFull(in, make([]byte, 1)); n > 0 {
				cancel(core.Errorf(core.CodePlatformInvalid, "A command of an app in a cluster can't have an input; "+
					"put the input into the command, or into a file of the app"))
			}
		}()
	}
	return ctx, func() { cancel(nil) }
}

// run runs a command, until ctx or the runner ends.
func (a *application) run(ctx context.Context, v runner.Version, c runner.Command) (exit runner.Exit, err error) {
	r := a.runner
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.ctx, cancel)() //nolint:contextcheck // whichever ends first
	s, err := r.space(a.namespace)
	if err != nil {
		return exit, err
	}
	if err := s.known(ctx); err != nil {
		return exit, err
	}
	launch := newLaunch()
	a.mu.Lock()
	a.once[launch] = true
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.once, launch)
	}()
	l, err := a.prepare(ctx, v, launch)
	if err != nil {
		return exit, err
	}
	return a.runPod(ctx, s, l, c)
}

// runPod runs a command in a pod, and removes that.
func (a *application) runPod(ctx context.Context, s *space, l launched, c runner.Command) (exit runner.Exit, err error) {
	r := a.runner
	one := &command{app: a, name: l.name(c.Name), changed: make(chan struct{}, 1)}
	one.source = source{process: c.Name, drone: 1, mask: applog.NewMask(l.v.Env), write: one.write(c.Out)}
	s.observe(l.launch, one)
	remove := func(ctx context.Context) error {
		return errors.Join(r.api.remove(ctx, pods, a.namespace, one.name), a.end(ctx, l.launch))
	}
	defer func() {
		s.forget(l.launch)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.o.Grace+r.o.PreStop+callLimit)
		defer cancel()
		if err := remove(end); err != nil {
			r.o.Logger.ErrorContext(ctx, "objects of a command not removed", "user", a.user, "app", a.name, "command", c.Name, "launch", l.launch, "error", err)
			r.background(func() { _ = remove(r.ctx) }) //nolint:contextcheck // until the API is back
		}
	}()
	if err := a.createPod(ctx, l.command(c)); err != nil {
		return exit, err
	}
	end, err := one.wait(ctx, r.o)
	if err != nil {
		return exit, err
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	exit = runner.Exit{Code: int(end.ExitCode), Reason: exitText(end.ExitCode)}
	if c.Out == nil {
		exit.Detail = strings.Join(one.tail, "\n")
	}
	return exit, nil
}

// createPod creates the pod of a command, as soon as the cluster is ready for it.
func (a *application) createPod(ctx context.Context, p *corev1.Pod) error {
	r := a.runner
	begin := r.o.Now()
	return await(ctx, func() (bool, error) {
		err := r.api.create(ctx, pods, a.namespace, p)
		refusal, refused := errors.AsType[*statusError](err)
		switch {
		case !refused:
			return err == nil, err
		case refusal.Code == http.StatusConflict:
			return true, nil // the answer to an earlier call was lost: the name is its own
		case refusal.Code != http.StatusForbidden:
			return false, err
		case passes(refusal.Message) && r.o.Now().Sub(begin) < r.o.StartTimeout:
			return false, nil
		}
		return false, refusedToCreate("pod", refusal.Message)
	})
}

// write returns what writes the output to out or, without it, to the app's log.
func (c *command) write(out io.Writer) func(...runner.Line) {
	return func(lines ...runner.Line) {
		if out == nil {
			c.app.journal.Append(lines...)
		}
		for _, l := range lines {
			if out != nil {
				_, _ = io.WriteString(out, l.Text+"\n") // the command goes on without a reader
			}
			c.mu.Lock()
			c.tail = append(c.tail, l.Text)
			c.tail = c.tail[max(0, len(c.tail)-detailLines):]
			c.mu.Unlock()
		}
	}
}

// wait waits for the end of the command, and until its output was copied.
func (c *command) wait(ctx context.Context, o Options) (*corev1.ContainerStateTerminated, error) {
	limit := time.NewTimer(o.StartTimeout)
	defer limit.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	sl := slot{process: "command"}
	var api reach
	for {
		c.mu.Lock()
		p, gone, follower := c.pod, c.gone, c.follower
		c.mu.Unlock()
		if p != nil {
			s := status(p)
			end := s.State.Terminated
			if follower != nil && (end != nil || gone) {
				copied := time.NewTimer(copyLimit)
				defer copied.Stop()
				select {
				case <-follower.done:
				case <-copied.C:
				}
			}
			switch {
			case end != nil:
				return end, nil
			case p.Status.Phase == corev1.PodFailed:
				return nil, core.Errorf(core.CodePlatformStartFailed, "the command's pod has failed: %s %s", p.Status.Reason, p.Status.Message)
			case gone:
				return nil, core.Errorf(core.CodePlatformStartFailed, "the command's pod was removed from the cluster before the command had ended; run the command again")
			case s.State.Running != nil:
				limit.Stop()
				look.Stop()
			case !api.away: // while it is away, the command can't be seen to start
				sl.pod = p
				if reason, _ := sl.obstacle(o.Now(), api.back, o.StartTimeout, ""); reason != "" {
					return nil, core.Errorf(core.CodePlatformStartFailed, "the command %s", reason)
				}
			}
		}
		select {
		case <-c.changed:
		case <-look.C:
			err := c.app.runner.api.try(ctx, request{method: http.MethodGet, path: pods.path(c.app.namespace, c.name)}, nil)
			if api.asked(err, o.Now()) {
				limit.Reset(o.StartTimeout)
			}
		case <-limit.C:
			return nil, core.Errorf(core.CodePlatformStartFailed, "the command's pod was not started within %v", o.StartTimeout)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
