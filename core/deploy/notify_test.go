package deploy_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// listener is a Notifier that fails as a test says, and then has heard.
type listener struct {
	fails []error // one for each of the first tries
	block bool    // does not end before its context

	mu    sync.Mutex
	tries []time.Time
	heard []core.Entry
}

func (l *listener) Name() string { return "listener" }

func (l *listener) Notify(ctx context.Context, e core.Entry) error {
	l.mu.Lock()
	n := len(l.tries)
	l.tries = append(l.tries, time.Now())
	l.mu.Unlock()
	if l.block {
		<-ctx.Done()
		return ctx.Err()
	}
	if n < len(l.fails) {
		return l.fails[n]
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, e)
	return nil
}

func (l *listener) statuses() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, e := range l.heard {
		all = append(all, string(e.Status))
	}
	return strings.Join(all, " ")
}

func (w *world) notify(to ...deploy.Notifier) {
	w.options.Notifiers = to
	w.service, w.worker = deploy.New(w.options), deploy.NewWorker(w.options)
}

func TestOutcomesAreNotified(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		one, other := &listener{}, &listener{fails: []error{errors.New("no such mailbox")}}
		w.notify(one, other)
		w.start()
		r := w.request(w.push(commit1))
		r.Delivery.Email = core.Email{Errors: true}
		e := w.settled(w.accept(r).Change.Entry.ID)
		w.is(e, core.StatusOK, "")
		w.forge.Commit(w.repo, commit2, map[string]string{"index.js": ""})
		w.is(w.settled(w.deliver(w.push(commit2))), core.StatusError, "")
		if got := one.statuses(); got != "ok error" {
			t.Errorf("heard %q", got)
		}
		if len(one.heard) > 0 && (!one.heard[0].Email.Errors || one.heard[0].URL == "" || one.heard[0].FinishedAt.IsZero()) {
			t.Errorf("heard %+v", one.heard[0])
		}
		// A permanent failure is not retried, and does not affect other notifiers.
		if got := other.statuses(); got != "error" || len(other.tries) != 2 {
			t.Errorf("the other one heard %q in %d tries", got, len(other.tries))
		}
	})
}

// A temporary failure is retried later; the deployment does not wait for it.
func TestNotificationIsRetried(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		passing := core.Transient(errors.New("connection refused"), 0)
		slow := core.Transient(errors.New("greylisted"), 20*time.Minute)
		l := &listener{fails: []error{passing, passing, slow}}
		w.notify(l)
		w.start()
		began := time.Now()
		e := w.settled(w.deliver(w.push(commit1)))
		w.is(e, core.StatusOK, "")
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("the outcome came after %s", took)
		}
		<-time.After(time.Hour)
		if got := l.statuses(); got != "ok" {
			t.Fatalf("heard %q", got)
		}
		var pauses []time.Duration
		for i := 1; i < len(l.tries); i++ {
			pauses = append(pauses, l.tries[i].Sub(l.tries[i-1]))
		}
		if pauses[0] != 5*time.Second || pauses[1] != 30*time.Second || pauses[2] != 20*time.Minute {
			t.Errorf("pauses %v", pauses)
		}
	})
}

func TestStopDoesNotWaitForWhoIsDeaf(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		failing, later := &listener{block: true}, &listener{fails: []error{core.Transient(errors.New("away"), 0)}}
		w.notify(failing, later)
		w.start()
		w.settled(w.deliver(w.push(commit1)))
		ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		if err := w.worker.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("stopping took %s", took)
		}
		if len(later.tries) != 1 || len(failing.tries) != 1 {
			t.Errorf("%d and %d tries", len(later.tries), len(failing.tries))
		}
	})
}

// A commit's last status is set later where GitHub is away.
func TestCommitStatusIsSetLater(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		err := w.accounts.SetToken(w.t.Context(), "dscape", core.ThirdPartyToken{ID: "g", Provider: core.TokenGitHub, App: core.AnyApp, Token: core.NewSecret("ghp")})
		if err != nil {
			w.t.Fatal(err)
		}
		away := core.Transient(errors.New("bad gateway"), 0)
		w.forge.Fail("CommitStatus", away, away, away)
		w.start()
		w.is(w.settled(w.deliver(w.push(commit1))), core.StatusOK, "")
		<-time.After(time.Hour)
		got := w.forge.Statuses(commit1)
		if len(got) != 1 || got[0].State != "success" || got[0].App != "hello" || got[0].URL == "" {
			t.Errorf("statuses %+v", got)
		}
	})
}

// What a worker could not send before its end, the next one sends; what was sent, or
// has failed for good, is not sent again.
func TestNextWorkerNotifies(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		away := &listener{fails: []error{core.Transient(errors.New("away"), 0)}}
		w.options.Outbox = w.store.Outbox()
		if err := w.store.Outbox().Add(w.t.Context(), "gone", 0); err != nil {
			w.t.Fatal(err)
		}
		w.notify(away)
		w.start()
		w.is(w.settled(w.deliver(w.push(commit1))), core.StatusOK, "")
		w.stop()
		if got := away.statuses(); got != "" {
			t.Fatalf("heard %q already", got)
		}
		for range 2 {
			w.notify(away)
			w.start()
			w.settled(strings.Repeat("0", 31) + "1")
			w.stop()
		}
		if got := away.statuses(); got != "ok" {
			t.Errorf("heard %q", got)
		}
		failing := &listener{fails: []error{errors.New("no such mailbox")}}
		w.notify(failing)
		w.start()
		w.is(w.settled(w.deliver(w.push(commit2))), core.StatusOK, "")
		<-time.After(time.Hour)
		if left, err := w.store.Outbox().Claim(w.t.Context(), nil, 0); err != nil || len(left) != 0 {
			t.Errorf("left is %v, %v", left, err)
		}
		changes, err := coretest.Changes(t.Context(), w.store, "dscape", core.Seq{}, 100)
		outcomes := 0
		for _, c := range changes {
			if c.Entry.Status.Outcome() {
				outcomes++
			}
		}
		if err != nil || outcomes != 2 {
			t.Errorf("%d outcomes are on the feed, %v; want one for each push", outcomes, err)
		}
	})
}

// mortal is an Outbox that its worker can be cut off from, as by its death.
type mortal struct {
	deploy.Outbox
	dead atomic.Bool
}

func (m *mortal) Done(ctx context.Context, id string) error {
	if m.dead.Load() {
		return errors.New("dead")
	}
	return m.Outbox.Done(ctx, id)
}

func (m *mortal) Add(ctx context.Context, id string, lease time.Duration) error {
	if m.dead.Load() {
		return errors.New("dead")
	}
	return m.Outbox.Add(ctx, id, lease)
}

func (m *mortal) Claim(ctx context.Context, working []string, lease time.Duration) ([]string, error) {
	if m.dead.Load() {
		return nil, errors.New("dead")
	}
	return m.Outbox.Claim(ctx, working, lease)
}

// Two workers of one store: what one is at, however long, the other leaves
// alone, until the one is dead.
func TestOutcomeOfADeadWorker(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		first := &mortal{Outbox: w.store.Outbox()}
		away := core.Transient(errors.New("away"), 40*time.Minute)
		one, other := &listener{fails: []error{away, away, away}}, &listener{}
		w.options.Outbox = first
		w.notify(one)
		w.start()
		w.is(w.settled(w.deliver(w.push(commit1))), core.StatusOK, "")

		options := w.options
		options.Outbox, options.Notifiers = w.store.Outbox(), []deploy.Notifier{other}
		second := deploy.NewWorker(options)
		if err := second.Start(w.t.Context()); err != nil {
			t.Fatal(err)
		}
		<-time.After(90 * time.Minute)
		if got := other.statuses(); got != "" || len(one.tries) != 3 {
			t.Errorf("the other one heard %q, after %d tries of the one", got, len(one.tries))
		}
		first.dead.Store(true)
		<-time.After(time.Minute)
		if got := other.statuses(); got != "ok" {
			t.Errorf("heard %q", got)
		}
		<-time.After(time.Hour)
		if got := other.statuses(); got != "ok" {
			t.Errorf("heard %q", got)
		}
		if err := second.Stop(w.t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// An outcome stays in the outbox while a newer one of the same entry is being sent.
func TestNewerOutcomeStaysOwed(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		away := core.Transient(errors.New("away"), time.Minute)
		l := &listener{fails: []error{away, core.Transient(errors.New("away"), time.Hour)}}
		first := &mortal{Outbox: w.store.Outbox()}
		w.options.Outbox = first
		w.notify(l)
		w.start()
		w.forge.Commit(w.repo, commit2, map[string]string{"index.js": ""})
		id := w.deliver(w.push(commit2))
		w.is(w.settled(id), core.StatusError, "")
		w.forge.Commit(w.repo, commit2, map[string]string{"package.json": `{"name":"hello"}`})
		w.deliver(w.push(commit2))
		w.is(w.settled(id), core.StatusOK, "")
		<-time.After(10 * time.Minute)
		if got := l.statuses(); got != "error" {
			t.Fatalf("heard %q", got)
		}
		first.dead.Store(true)
		w.stop()
		w.options.Outbox = w.store.Outbox()
		w.notify(l)
		w.start()
		w.after(time.Minute, id)
		if got := l.statuses(); got != "error ok" {
			t.Errorf("heard %q", got)
		}
	})
}
