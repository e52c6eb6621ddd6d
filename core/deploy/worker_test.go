package deploy_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// late is a queue that always says to have looked again a minute ago.
type late struct {
	*coretest.Memory
	claims atomic.Int64
}

func (l *late) Claim(context.Context, time.Duration) (deploy.Claim, bool, time.Time, error) {
	l.claims.Add(1)
	return deploy.Claim{}, false, time.Now().Add(-time.Minute), nil
}

func TestWrongTimeKeepsNobodyBusy(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		queue := &late{Memory: w.store}
		o := w.options
		o.Queue = queue
		w.worker = deploy.NewWorker(o)
		w.start()
		<-time.After(3 * time.Second)
		if n := queue.claims.Load(); n > 31 {
			t.Errorf("it looked %d times within 3 s", n)
		}
	})
}

// hung is a queue that does not answer when a claim is to be renewed.
type hung struct{ *coretest.Memory }

func (*hung) Renew(ctx context.Context, _ deploy.Claim, _ time.Duration) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

// endless is a Platform whose upload ends only when it is broken off.
type endless struct {
	*coretest.Platform
	took chan time.Duration
}

func (p *endless) Upload(ctx context.Context, _ string, _ deploy.Package, _ string, _ io.Reader, _ io.Writer) error {
	begin := time.Now()
	<-ctx.Done()
	p.took <- time.Since(begin)
	return ctx.Err()
}

// An attempt is broken off while its claim is sure to hold, however long a call
// of the store may take.
func TestBrokenOffInTime(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		platform := &endless{w.platform, make(chan time.Duration, 100)}
		o := w.options
		o.Queue, o.Platform, o.Lease, o.StoreTimeout = &hung{w.store}, platform, 30*time.Second, time.Hour
		w.worker = deploy.NewWorker(o)
		w.deliver(w.push(commit1))
		w.start()
		if took := <-platform.took; took > 20*time.Second {
			t.Errorf("it went on for %s", took)
		}
	})
}

// jumping is a Platform during whose upload, which takes a minute, the clock is set
// ahead.
type jumping struct {
	*coretest.Platform
	ahead *atomic.Int64
}

func (p jumping) Upload(ctx context.Context, user string, pkg deploy.Package, snapshot string, body io.Reader, out io.Writer) error {
	p.ahead.Store(int64(time.Hour))
	select {
	case <-time.After(time.Minute):
		return p.Platform.Upload(ctx, user, pkg, snapshot, body, out) //nolint:wrapcheck // of the fake
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A lease lasts as long if the clock is set meanwhile.
func TestClockSetAheadDuringUpload(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		var ahead atomic.Int64
		o := w.options
		o.Now = func() time.Time { return time.Now().UTC().Add(time.Duration(ahead.Load())) }
		o.Platform = jumping{w.platform, &ahead}
		w.worker = deploy.NewWorker(o)
		id := w.deliver(w.push(commit1))
		w.start()
		e := w.after(2*time.Minute, id)
		w.is(e, core.StatusOK, "")
		if e.Attempts != 1 || e.Lost != 0 {
			t.Errorf("%d attempts, %d lost, want one", e.Attempts, e.Lost)
		}
	})
}

// recorder is a store that records the last write.
type recorder struct {
	*coretest.Memory
	place *deploy.Place // nil: the last write was an update
	claim int
}

func (r *recorder) Update(ctx context.Context, e core.Entry, claim int) (core.Change, error) {
	r.place, r.claim = nil, claim
	return r.Memory.Update(ctx, e, claim)
}

func (r *recorder) Requeue(ctx context.Context, e core.Entry, claim int, p deploy.Place) (core.Change, error) {
	r.place, r.claim = &p, claim
	return r.Memory.Requeue(ctx, e, claim, p)
}

// What is put back when a worker stops is ready at once, by any clock; and all
// that a worker saves, it saves by its claim.
func TestPutBackAtOnce(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		store := &recorder{Memory: w.store}
		platform := &endless{w.platform, make(chan time.Duration, 100)}
		o := w.options
		o.Store, o.Platform = store, platform
		w.worker = deploy.NewWorker(o)
		id := w.deliver(w.push(commit1))
		w.start()
		w.is(w.settled(id), core.StatusPending, "")
		if store.place != nil || store.claim != 1 {
			t.Errorf("a step was saved with place %+v, claim %d", store.place, store.claim)
		}
		ctx, cancel := context.WithCancel(w.t.Context())
		cancel()
		if err := w.worker.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		w.is(w.settled(id), core.StatusPending, "Interrupted by a restart")
		if store.place == nil || !store.place.At.IsZero() || store.claim != 1 {
			t.Errorf("it was requeued with place %+v, claim %d", store.place, store.claim)
		}
	})
}

// slowStatuses is a forge that sets no status of an outcome until it is broken off.
type slowStatuses struct{ *coretest.Forge }

func (f slowStatuses) CommitStatus(ctx context.Context, r core.Repository, commit string, s deploy.CommitStatus, token core.Secret) error {
	if s.State != "pending" {
		<-ctx.Done()
		return core.Transient(ctx.Err(), 0)
	}
	return f.Forge.CommitStatus(ctx, r, commit, s, token) //nolint:wrapcheck // of the fake
}

// The outcome of an attempt is saved if the worker stops before that.
func TestStopBeforeTheOutcomeIsSaved(t *testing.T) {
	t.Parallel()
	for want, err := range map[core.Status]error{core.StatusOK: nil, core.StatusError: errors.New("exits at once")} {
		inWorld(t, func(w *world) {
			w.pair()
			w.platform.Fail("Start", err)
			o := w.options
			o.Forges = map[string]deploy.Forge{core.GitHubHost: slowStatuses{w.forge}}
			w.worker = deploy.NewWorker(o)
			id := w.deliver(w.push(commit1))
			w.start()
			w.is(w.settled(id), core.StatusPending, "")
			ctx, cancel := context.WithCancel(w.t.Context())
			cancel()
			if err := w.worker.Stop(ctx); err != nil {
				t.Fatal(err)
			}
			w.is(w.settled(id), want, "")
			if n := len(w.platform.Starts()); err == nil && n != 1 {
				t.Errorf("deployed %d times", n)
			}
		})
	}
}
