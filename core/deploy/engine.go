package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// engine is what Service and Worker share.
type engine struct{ Options }

func newEngine(o Options) *engine { return &engine{o.withDefaults()} }

// call calls the store within StoreTimeout.
func (e *engine) call(ctx context.Context, name string, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, e.StoreTimeout)
	defer cancel()
	begin := time.Now()
	err := f(ctx)
	e.Observer.StoreCall(name, time.Since(begin), err)
	return err
}

// The pauses between two tries of a store that fails.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = time.Second
)

// retry calls the store until it succeeds, for as long as a claim is certain to
// last: an outage of a moment should not undo a deployment. After that the error
// is core.Transient.
func (e *engine) retry(ctx context.Context, name string, f func(ctx context.Context) error) error {
	limit := time.NewTimer(e.certain())
	defer limit.Stop()
	for pause := firstPause; ; pause = min(pause*2, longestPause) {
		err := e.call(ctx, name, f)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, core.ErrConflict), errors.Is(err, core.ErrNotFound), ctx.Err() != nil:
			return fmt.Errorf("%s: %w", name, err)
		}
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
			continue
		case <-ctx.Done():
		case <-limit.C:
		}
		wait.Stop()
		return core.Transient(fmt.Errorf("%s: %w", name, err), 0)
	}
}

// certain is for how much of its lease a claim is relied on. The rest is for
// clocks that differ and calls that take their time.
func (e *engine) certain() time.Duration { return e.Lease * 2 / 3 }

// find returns an entry for an answer to a person.
func (e *engine) find(ctx context.Context, id string) (core.Change, error) {
	change, err := e.lookup(ctx, id)
	switch {
	case errors.Is(err, core.ErrNotFound):
		return core.Change{}, core.NewError(core.CodeStatusNotFound, "", err)
	case err != nil:
		return core.Change{}, core.NewError(core.CodeStatusGetByID, "", err)
	}
	return change, nil
}

// lookup returns an entry.
func (e *engine) lookup(ctx context.Context, id string) (change core.Change, err error) {
	err = e.call(ctx, "find", func(ctx context.Context) error {
		change, err = e.Store.Find(ctx, id)
		return err
	})
	return change, err
}

// byCommit returns the entries of the commit of an entry that may concern its user, or
// of all users if it has none, newest first.
func (e *engine) byCommit(ctx context.Context, entry core.Entry) (found []core.Change, err error) {
	commits := append([]string{entry.Commit.ID}, entry.Commits...)
	err = e.call(ctx, "find by commit", func(ctx context.Context) error {
		found, err = e.Store.ByCommit(ctx, entry.User, entry.Repository.Key(), commits)
		return err
	})
	return found, err
}

// restart makes an entry ready for another round of attempts.
func (e *engine) restart(entry *core.Entry) {
	entry.Status, entry.Reason, entry.Error = core.StatusPending, "", nil
	entry.Hold, entry.Released, entry.Releases, entry.Stopped = nil, "", "", false
	entry.Failures, entry.Lost = 0, 0
	entry.FinishedAt, entry.UpdatedAt = time.Time{}, e.Now()
}

// release queues an entry that no worker has again, past its gate.
func (e *engine) release(ctx context.Context, entry core.Entry, reason string) (change core.Change, err error) {
	entry = entry.Clone()
	e.restart(&entry)
	entry.Reason, entry.Released = reason, reason
	var place Place
	if entry.Kind == core.EventBuild { // until now it was in no lane
		place.Lane = lane(entry)
	}
	err = e.call(ctx, "requeue", func(ctx context.Context) error {
		change, err = e.Store.Requeue(ctx, entry, 0, place)
		return err
	})
	return change, err
}

// settle finishes an entry without a claim.
func (e *engine) settle(ctx context.Context, entry core.Entry, status core.Status, reason string) error {
	entry = entry.Clone()
	entry.Status, entry.Reason, entry.Hold = status, reason, nil
	entry.UpdatedAt = e.Now()
	entry.FinishedAt = entry.UpdatedAt
	return e.call(ctx, "finish", func(ctx context.Context) error {
		_, err := e.Store.Finish(ctx, entry, 0)
		return err
	})
}
