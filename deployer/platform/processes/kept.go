package processes

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/applog"
	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
	"github.com/nodejitsu/webhooks/deployer/platform/processes/keeper"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// findTimeout is the time limit for a keeper of an earlier server to answer.
const findTimeout = time.Minute

// label is what the keeper of a drone knows about it for the next server.
type label struct {
	User     string    `json:"user"`
	App      string    `json:"app"`
	Snapshot string    `json:"snapshot"`
	Version  string    `json:"version"` // see fingerprint
	Process  string    `json:"process"`
	Number   int       `json:"number"`
	Port     int       `json:"port"`
	Memory   int64     `json:"memory"`
	Started  time.Time `json:"started"`
}

// logSpec is how a keeper writes the log of its drone.
type logSpec struct {
	Dir     string `json:"dir"`
	Process string `json:"process"`
	Number  int    `json:"number"`
}

// found is a drone of an earlier server, with its keeper.
type found struct {
	*keeper.Client
	label label
}

// Keep is the process that keeps one drone: what the command [Options.Keeper] must
// run. It returns its exit code. ctx must not be canceled.
func Keep(ctx context.Context) int {
	return keeper.Main(ctx, func(spec keeper.Spec) (keeper.Output, error) {
		var l logSpec
		if err := json.Unmarshal(spec.Log, &l); err != nil {
			return nil, err
		}
		env := map[string]string{}
		for _, entry := range spec.Env {
			name, value, _ := strings.Cut(entry, "=")
			env[name] = value
		}
		j := applog.New(l.Dir)
		return &keptOutput{newCapture(l.Process, l.Number, j, applog.NewMask(env), time.Now)}, nil
	})
}

// keptOutput is the output of a drone in its keeper.
type keptOutput struct{ *capture }

// Pipes implements keeper.Output.
func (o *keptOutput) Pipes() (stdout, stderr *os.File, err error) {
	if stdout, err = o.pipe(runner.Stdout); err != nil {
		return nil, nil, err
	}
	if stderr, err = o.pipe(runner.Stderr); err != nil {
		return nil, nil, errors.Join(err, stdout.Close())
	}
	return stdout, stderr, nil
}

// Close implements keeper.Output.
func (o *keptOutput) Close() { o.close() }

// LastText implements keeper.Output.
func (o *keptOutput) LastText() string { return o.lastText() }

// startKept starts the command of a drone by a keeper.
func (a *application) startKept(ctx context.Context, d *drone, v runner.Version, cmd *exec.Cmd) error {
	r := a.runner
	about, err := json.Marshal(label{
		User: a.user, App: a.name, Snapshot: v.Snapshot, Version: fingerprint(v), Process: d.slot.process, Number: d.slot.number,
		Port: d.port, Memory: d.memory, Started: d.started,
	})
	if err != nil {
		return err
	}
	log, err := json.Marshal(logSpec{Dir: a.journal.Dir(), Process: d.slot.process, Number: d.slot.number})
	if err != nil {
		return err
	}
	spec := keeper.Spec{
		Label: about, Log: log, Mark: r.Mark() + rand.Text(), Args: cmd.Args, Env: cmd.Env, Dir: cmd.Dir,
		Cgroups: r.cgroups.Dir(), Limits: r.limits(v), Orphan: r.o.OrphanTimeout, Grace: r.o.Grace,
	}
	if as := cmd.SysProcAttr.Credential; as != nil {
		spec.User = &keeper.User{UID: as.Uid, GID: as.Gid}
	}
	// It is not canceled: a drone that was started is known to its server.
	c, err := keeper.Start(context.WithoutCancel(ctx), keeper.Options{Dir: r.keepers(), Command: append(slices.Clone(r.o.Keeper), key(a.user, a.name)), Spec: spec})
	if err != nil {
		return err
	}
	d.group = c
	r.mu.Lock()
	r.clients[c] = true
	r.mu.Unlock()
	return nil
}

// keepers returns the folder of the keepers.
func (r *Runner) keepers() string { return filepath.Join(r.o.Dir, "keepers") }

// fingerprint identifies a version with its environment, so that the next server
// recognizes a drone of it.
func fingerprint(v runner.Version) string {
	v.Drones = 0 // which no drone depends on
	return v.Fingerprint()
}

// find finds the drones that an earlier server has left to their keepers.
func (r *Runner) find(ctx context.Context) error {
	all, err := keeper.Find(ctx, r.keepers(), findTimeout)
	for _, c := range all {
		f := found{Client: c}
		s := c.Found()
		if s.Protocol <= keeper.Protocol && json.Unmarshal(s.Label, &f.label) == nil {
			if f.label.Port != 0 {
				r.ports.use(f.label.Port)
			}
		}
		a := r.app(f.label.User, f.label.App) // of one that is not understood, an app without a name
		r.mu.Lock()
		at := key(a.user, a.name)
		r.found[at] = append(r.found[at], f)
		r.mu.Unlock()
	}
	return err
}

// kept returns the keepers of all drones.
func (r *Runner) kept() []*keeper.Client {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var all []*keeper.Client
	for c := range r.clients {
		all = append(all, c)
	}
	for _, list := range r.found {
		for _, f := range list {
			all = append(all, f.Client)
		}
	}
	return all
}

// takeFound removes and returns the drones of an app that an earlier server left.
func (r *Runner) takeFound(user, app string) []found {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.found[key(user, app)]
	delete(r.found, key(user, app))
	for _, f := range list {
		r.clients[f.Client] = true
	}
	return list
}

// endFound ends drones of an earlier server. The lock must be held.
func (a *application) endFound(list []found) {
	for _, f := range list {
		a.drains.Go(func() { a.runner.endFound(f) })
	}
}

func (r *Runner) endFound(f found) {
	r.o.Logger.Info("drone of an earlier server ended", "user", f.label.User, "app", f.label.App, "snapshot", f.label.Snapshot, "pid", f.Pid())
	if err := f.End(r.hurry, r.o.Grace); errors.Is(err, group.ErrSurvivors) {
		r.o.Logger.Error("drone not killed", "user", f.label.User, "app", f.label.App, "pid", f.Pid(), "error", err)
	} else {
		r.forget(f.Client)
	}
	if f.label.Port != 0 {
		r.ports.release(f.label.Port)
	}
}

// EndOthers ends the drones that an earlier server left running of apps for which neither
// Resume was called nor Note, as it is for one that could not be resumed: those go on until
// it is started or halted. It must be called when all apps were resumed, and does not wait.
func (r *Runner) EndOthers(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	r.mu.RLock()
	defer r.mu.RUnlock()
	for at := range r.found {
		a := r.apps[at]
		if a.noted.Load() {
			continue
		}
		r.running.Go(func() {
			_ = a.lock.Acquire(ctx) // never fails with this context
			defer a.lock.Release()
			a.endFound(r.takeFound(a.user, a.name))
		})
	}
}

// detachFound leaves to their keepers the drones that were neither taken over nor
// ended.
func (r *Runner) detachFound() {
	r.mu.Lock()
	others := r.found
	r.found = map[string][]found{}
	r.mu.Unlock()
	for _, list := range others {
		for _, f := range list {
			f.Detach()
		}
	}
}

// forget removes the keeper of a drone that has ended.
func (r *Runner) forget(p program) {
	if c, ok := p.(*keeper.Client); ok {
		r.mu.Lock()
		delete(r.clients, c)
		r.mu.Unlock()
	}
}

// adopt fills the slots of a generation with the drones of an earlier server that
// run the same version, and returns the others. Of two for one slot, which a
// restart of an app leaves that was interrupted, it prefers one that is ready.
func (g *generation) adopt(list []found) (others []found) {
	known := []string{fingerprint(g.version), g.version.FormerFingerprint()}
	slices.SortStableFunc(list, func(a, b found) int {
		if ready := b2i(b.Found().Ready) - b2i(a.Found().Ready); ready != 0 {
			return ready
		}
		return b.label.Started.Compare(a.label.Started)
	})
	for _, f := range list {
		i := slices.IndexFunc(g.slots, func(sl *slot) bool {
			return sl.process == f.label.Process && sl.number == f.label.Number && sl.drone == nil && sl.found == nil
		})
		if !slices.Contains(known, f.label.Version) || i < 0 {
			others = append(others, f)
			continue
		}
		sl := g.slots[i]
		d := g.app.foundDrone(sl, f)
		if s := f.Found(); !s.Ready {
			sl.found = d // the next boot waits until it is ready
			continue
		}
		g.app.runner.watch(d)
		sl.drone = d
		g.app.runner.o.Logger.Info("drone taken over from an earlier server", "user", g.app.user, "app", g.app.name,
			"snapshot", g.version.Snapshot, "process", sl.process, "drone", sl.number, "pid", f.Pid())
	}
	return others
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (a *application) foundDrone(sl *slot, f found) *drone {
	return &drone{
		slot: sl, port: f.label.Port, addr: f.Found().Addr, memory: f.label.Memory, started: f.label.Started,
		group: f.Client, out: newCapture(sl.process, sl.number, a.journal, applog.NewMask(), a.runner.o.Now), lost: make(chan struct{}),
	}
}

// detach leaves the drones of a generation to their keepers, and ends those that
// have none.
func (g *generation) detach(ctx context.Context) error {
	g.cancel()
	g.keepers.Wait()
	a := g.app
	var failures []error
	for _, sl := range g.slots {
		d := g.take(sl)
		if d == nil {
			continue
		}
		c, ok := d.group.(*keeper.Client)
		if !ok {
			failures = append(failures, a.end(ctx, d, a.runner.o.Grace))
			continue
		}
		a.runner.unwatch(d)
		c.Detach()
		a.runner.forget(c)
		a.runner.ports.release(d.port)
		d.out.close()
	}
	if err := errors.Join(failures...); errors.Is(err, group.ErrSurvivors) {
		return fmt.Errorf("processes: ending drones: %w", err)
	}
	return nil
}
