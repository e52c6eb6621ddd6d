package processes

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// candidate is a generation that is ready, beside the current one. It holds the
// app's lock until Commit or Abort.
type candidate struct {
	app        *application
	generation *generation
	promoted   bool
}

// launchVersion starts v beside the current version. The lock must be held.
func (a *application) launchVersion(ctx context.Context, v runner.Version) (*candidate, error) {
	r := a.runner
	if _, err := os.Stat(v.Dir); err != nil {
		return nil, fmt.Errorf("processes: checking the app's folder: %w", err)
	}
	as, err := r.Credential(a.user, a.name)
	if err != nil {
		return nil, err
	}
	if err := r.reachable(ctx, v.Dir, as); err != nil {
		return nil, err
	}
	a.endFound(r.takeFound(a.user, a.name))
	if v.StopFirst {
		a.hasten()()
	}
	g := a.newGeneration(v)
	if err := g.start(ctx); err != nil {
		return nil, err
	}
	return &candidate{app: a, generation: g}, nil
}

// Launch implements runner.Candidate.
func (c *candidate) Launch() string { return c.generation.launch }

// Promote implements runner.Candidate.
func (c *candidate) Promote() {
	a := c.app
	c.promoted = true
	a.mu.Lock()
	standby := a.former
	a.former, a.current = a.current, c.generation
	a.restarts, a.reason = 0, ""
	a.mu.Unlock()
	a.notify()
	a.replace(standby)
}

// Watch implements runner.Candidate.
func (c *candidate) Watch(ctx context.Context, d time.Duration) error {
	limit, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	life := c.app.runner.ctx
	defer context.AfterFunc(life, cancel)() //nolint:contextcheck // whichever ends first
	if err := c.generation.watch(limit); err != nil {
		return err
	}
	if err := cmp.Or(ctx.Err(), life.Err()); err != nil {
		return fmt.Errorf("processes: watching the new version: %w", err)
	}
	return nil
}

// Commit implements runner.Candidate.
func (c *candidate) Commit(standby time.Duration) {
	a := c.app
	defer a.lock.Release()
	if !c.promoted {
		c.Promote()
	}
	c.generation.keep()
	a.mu.Lock()
	old := a.former
	if standby <= 0 {
		a.former = nil
	}
	a.mu.Unlock()
	switch {
	case old == nil:
	case standby > 0:
		a.runner.running.Go(func() { a.standBy(old, standby) })
	default:
		a.replace(old)
	}
}

// standBy ends a generation that was replaced after some time, unless another
// call does so before.
func (a *application) standBy(old *generation, d time.Duration) {
	limit := time.NewTimer(d)
	defer limit.Stop()
	select {
	case <-limit.C:
	case <-old.ctx.Done():
		return
	}
	if a.lock.Acquire(old.ctx) != nil {
		return
	}
	defer a.lock.Release()
	a.mu.Lock()
	still := a.former == old
	if still {
		a.former = nil
	}
	a.mu.Unlock()
	if still {
		a.replace(old)
	}
}

// Abort implements runner.Candidate.
func (c *candidate) Abort() {
	a := c.app
	defer a.lock.Release()
	if c.promoted {
		a.mu.Lock()
		a.current, a.former = a.former, nil
		if a.current != nil {
			a.restarts, a.reason = a.current.restarts, a.current.reason
		}
		a.mu.Unlock()
		a.notify()
	}
	a.replace(c.generation)
}

// replace ends a generation that gets no new requests, once its requests have
// ended. The lock must be held.
func (a *application) replace(old *generation) {
	if old == nil {
		return
	}
	r := a.runner
	old.cancel()
	a.drains.Go(func() { _ = old.drain(r.hurry, r.o.DrainTimeout, r.o.Grace) }) // failures were logged
}
