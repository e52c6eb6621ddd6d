package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest"
	"github.com/nodejitsu/webhooks/core/deploy"
)

func TestPushIsDeployed(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		traced := &trace{}
		w.options.Tracer = traced
		w.service, w.worker = deploy.New(w.options), deploy.NewWorker(w.options)
		w.start()
		e := w.settled(w.deliver(w.push(commit1)))
		w.is(e, core.StatusOK, "")
		w.deliver(w.push(commit1), "Traceparent", "00-1")
		if traced.received != 2 || traced.sender != "00-1" || traced.repeated != 1 || len(traced.attempts) != 1 || traced.attempts[0].ID != e.ID || len(traced.attempts[0].Steps) != len(e.Steps) {
			t.Errorf("traced %+v", traced)
		}
		if e.App != "hello" || e.Snapshot != "1.0.0-111111111111" || e.URL != "http://hello.localhost" || e.FinishedAt.IsZero() {
			t.Errorf("got %+v", e)
		}
		var names []core.StepName
		for _, step := range e.Steps {
			names = append(names, step.Name)
			if step.State != core.StepOK {
				t.Errorf("step %s is %s", step.Name, step.State)
			}
		}
		want := []core.StepName{core.StepGate, core.StepPackage, core.StepCreate, core.StepUpload, core.StepStart}
		if !slices.Equal(names, want) {
			t.Errorf("got steps %v, want %v", names, want)
		}
		if got := w.platform.Starts(); !slices.Equal(got, []string{"dscape/hello/1.0.0-111111111111"}) {
			t.Errorf("started %v", got)
		}
		changes, err := coretest.Changes(w.t.Context(), w.store, "dscape", core.Seq{}, 100)
		if err != nil || len(changes) < len(want)+2 {
			t.Errorf("got %d changes, %v; want one for each step and more", len(changes), err)
		}
		for i, c := range changes {
			if c.Entry.Revision != int64(i+1) {
				t.Errorf("change %d is of revision %d", i, c.Entry.Revision)
			}
		}
	})
}

func TestFailuresHaveTheirCodes(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken for good")
	for name, test := range map[string]struct {
		arrange func(w *world)
		code    core.Code
		cause   string // as the reason has it
	}{
		"no package.json": {func(w *world) { w.forge.Commit(w.repo, commit1, nil) }, core.CodeNoPackageJSON, "private, or does not exist"},
		"bad package.json": {func(w *world) {
			w.forge.Commit(w.repo, commit1, map[string]string{"package.json": `{"name":"../x"}`})
		}, core.CodeBadPackageJSON, `invalid app name '../x'`},
		"travis.yml": {func(w *world) { w.forge.Fail("File", core.ErrForbidden) }, core.CodeGateFailed, "not allowed"},
		"tarball":    {func(w *world) { w.forge.Fail("Archive", core.ErrNotFound) }, core.CodeDownloadTarball, "not found"},
		"create":     {func(w *world) { w.platform.Fail("Create", broken) }, core.CodeStartApp, "broken for good"},
		"upload":     {func(w *world) { w.platform.Fail("Upload", broken) }, core.CodeUploadTarball, "broken for good"},
		"start":      {func(w *world) { w.platform.Fail("Start", broken) }, core.CodeStartApp, "broken for good"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				test.arrange(w)
				w.start()
				e := w.settled(w.deliver(w.push(commit1)))
				sentence, _, _ := strings.Cut(core.Reason(test.code), "; ")
				w.is(e, core.StatusError, sentence+": ")
				w.is(e, core.StatusError, test.cause)
				if e.Error == nil || e.Error.Code != test.code || e.Error.Detail == "" {
					t.Errorf("got %+v, want code %s with a detail", e.Error, test.code)
				}
				if len(w.platform.Starts()) != 0 {
					t.Error("something was started")
				}
			})
		})
	}
}

func TestPassingFailuresAreTriedAgain(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.forge.Fail("Archive", core.Transient(errors.New("reset"), 0), core.Transient(errors.New("502"), 0))
		w.start()
		id := w.deliver(w.push(commit1))
		w.is(w.settled(id), core.StatusPending, "tried again at")
		e := w.after(5*time.Second+30*time.Second+time.Second, id)
		w.is(e, core.StatusOK, "")
		if e.Failures != 2 {
			t.Errorf("got %d failures", e.Failures)
		}
	})
}

func TestFailureThatDoesNotPassIsGivenUp(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		for range 6 {
			w.platform.Fail("Upload", core.Transient(errors.New("refused"), 0))
		}
		w.start()
		e := w.after(time.Hour, w.deliver(w.push(commit1)))
		w.is(e, core.StatusError, core.Reason(core.CodeUploadTarball))
		if e.Attempts != 6 {
			t.Errorf("got %d attempts, want the first and one for each delay", e.Attempts)
		}
	})
}

// A rate limit says when to come back; that costs none of the tries.
func TestRateLimitIsWaitedOut(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		for range 8 {
			w.forge.Fail("File", core.Transient(errors.New("429"), 20*time.Minute))
		}
		w.start()
		id := w.deliver(w.push(commit1))
		w.is(w.after(19*time.Minute, id), core.StatusPending, "Asked to wait")
		e := w.after(8*20*time.Minute, id)
		w.is(e, core.StatusOK, "")
		if e.Failures != 0 {
			t.Errorf("the limit cost %d tries", e.Failures)
		}
	})
}

func TestRepeatedDelivery(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.start()
		first := w.deliver(w.push(commit1), "X-Github-Delivery", "guid")
		w.is(w.settled(first), core.StatusOK, "")
		again := w.accept(w.request(w.push(commit1), "X-Github-Delivery", "guid"))
		if !again.Repeat || again.Change.Entry.ID != first {
			t.Errorf("got %+v", again)
		}
		if got := len(w.platform.Starts()); got != 1 {
			t.Errorf("deployed %d times", got)
		}
		w.is(w.settled(w.deliver(w.push(commit1), "X-Github-Delivery", "other")), core.StatusOK, "")
	})
}

func TestRedeliveryAfterErrorIsANewAttempt(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.platform.Fail("Start", errors.New("exits at once"))
		w.start()
		id := w.deliver(w.push(commit1), "X-Github-Delivery", "guid")
		w.is(w.settled(id), core.StatusError, "")
		again := w.accept(w.request(w.push(commit1), "X-Github-Delivery", "guid"))
		if again.Repeat || again.Change.Entry.ID != id {
			t.Errorf("got %+v, want a new attempt of the same entry", again)
		}
		e := w.settled(id)
		w.is(e, core.StatusOK, "")
		if e.Error != nil {
			t.Errorf("the error of the first attempt is still there: %+v", e.Error)
		}
	})
}

// Pushes that come while one is at work: only the newest is deployed.
func TestNewestWins(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		release := make(chan struct{})
		w.platform.Started = func(_, _, snapshot string) {
			if snapshot == "1.0.0-111111111111" {
				<-release
			}
		}
		w.start()
		first := w.deliver(w.push(commit1))
		w.is(w.settled(first), core.StatusPending, "")
		second, third := w.deliver(w.push(commit2)), w.deliver(w.push(commit3))
		close(release)
		w.is(w.settled(first), core.StatusOK, "")
		w.is(w.settled(second), core.StatusSkipped, "Superseded")
		w.is(w.settled(third), core.StatusOK, "")
		want := []string{"dscape/hello/1.0.0-111111111111", "dscape/hello/1.0.0-333333333333"}
		if got := w.platform.Starts(); !slices.Equal(got, want) {
			t.Errorf("started %v, want %v", got, want)
		}
	})
}

// GitHub's deliveries may come out of order: the one that was pushed earlier
// is not deployed over the later one.
func TestLateDeliveryOfAnOlderPush(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.start()
		newer, older := w.push(commit2), w.push(commit1)
		newer.PushedAt = time.Unix(2000, 0).UTC()
		older.PushedAt = time.Unix(1000, 0).UTC()
		w.is(w.settled(w.deliver(newer, "X-Github-Delivery", "b")), core.StatusOK, "")
		w.is(w.settled(w.deliver(older, "X-Github-Delivery", "a")), core.StatusSkipped, "Superseded")
		// What a person sends again by hand is meant.
		w.is(w.settled(w.deliver(older)), core.StatusOK, "")
	})
}

// Two repositories that hold the same app take turns.
func TestOneDeploymentOfAnAppAtATime(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.platform.Started = func(string, string, string) { <-time.After(time.Minute) }
		w.start()
		var ids []string
		for i := range 3 {
			repo := w.repo
			repo.Name = fmt.Sprintf("hello-%d", i)
			w.forge.Commit(repo, commit1, map[string]string{"package.json": `{"name":"hello"}`})
			event := w.push(commit1)
			event.Repository = repo
			r := w.request(event)
			r.Target = core.Target{App: "hello"} // so that each may deploy it
			ids = append(ids, w.accept(r).Change.Entry.ID)
		}
		for range 10 {
			w.after(time.Minute, ids[0])
		}
		if got := w.platform.Overlaps(); got != 0 {
			t.Errorf("the app was deployed twice at once, %d times", got)
		}
		w.is(w.settled(ids[2]), core.StatusOK, "")
	})
}

// A worker that dies says nothing: its lease runs out and another goes on.
func TestEntryOfADeadWorkerIsTakenUp(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		id := w.deliver(w.push(commit1))
		if _, found, _, err := w.store.Claim(w.t.Context(), 30*time.Second); !found || err != nil {
			t.Fatal("nothing to claim", err)
		}
		w.start()
		w.is(w.after(29*time.Second, id), core.StatusPending, "")
		e := w.after(5*time.Second, id)
		w.is(e, core.StatusOK, "")
		if e.Lost != 1 || e.Attempts != 2 {
			t.Errorf("got %d lost of %d attempts", e.Lost, e.Attempts)
		}
	})
}

// An entry that ends every process it meets is given up.
func TestPoisonousEntryIsGivenUp(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		id := w.deliver(w.push(commit1))
		for range 6 {
			c, found, _, err := w.store.Claim(w.t.Context(), time.Second)
			if !found || err != nil {
				t.Fatal("nothing to claim", err)
			}
			if c.Lost {
				e := c.Change.Entry
				e.Lost++
				if _, err := w.store.Update(w.t.Context(), e, 0); err != nil {
					t.Fatal(err)
				}
			}
			<-time.After(2 * time.Second)
		}
		w.start()
		e := w.after(time.Minute, id)
		w.is(e, core.StatusError, core.Reason(core.CodeInterrupted))
	})
}

// A worker that lost its claim can't overwrite what the next one wrote.
func TestPausedWorkerIsFenced(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		id := w.deliver(w.push(commit1))
		paused, _, _, err := w.store.Claim(w.t.Context(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * time.Second)
		w.start()
		w.is(w.settled(id), core.StatusOK, "")
		e := paused.Change.Entry
		e.Status = core.StatusError
		if _, err := w.store.Finish(w.t.Context(), e, 0); !errors.Is(err, core.ErrConflict) {
			t.Errorf("got %v, want a conflict", err)
		}
		w.is(w.settled(id), core.StatusOK, "")
	})
}

// A platform that a later deployment has called is the last to stop an earlier
// one, which has not failed by that.
func TestPlatformFences(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.platform.Fail("Start", fmt.Errorf("platform: start: %w", core.ErrSuperseded))
		w.start()
		w.is(w.settled(w.deliver(w.push(commit1))), core.StatusSkipped, "Superseded by a later deployment of hello")
	})
	// By entry, and then by attempt.
	var before deploy.Order
	for _, c := range []deploy.Claim{
		{Change: core.Change{Entry: core.Entry{ID: "0b", Order: 9}}, Attempt: 9},
		{Change: core.Change{Entry: core.Entry{ID: "0b", Order: 9}}, Attempt: 10},
		{Change: core.Change{Entry: core.Entry{ID: "0a", Order: 10}}, Attempt: 1},
	} {
		if o := c.Order(); o.Compare(before) <= 0 || o.String() <= before.String() {
			t.Errorf("%q is not after %q", o, before)
		}
		before = c.Order()
	}
}

// Stopping gives up what is not done in time, for another worker to go on.
func TestStopPutsWorkBack(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		for range 3 {
			w.forge.Fail("File", core.Transient(errors.New("later"), time.Hour))
		}
		w.start()
		id := w.deliver(w.push(commit1))
		w.is(w.settled(id), core.StatusPending, "")
		w.stop()
		w.worker = deploy.NewWorker(w.options)
		w.start()
		w.is(w.after(4*time.Hour, id), core.StatusOK, "")
	})
}

func TestPanicIsAnError(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.platform.Started = func(string, string, string) { panic("of the platform") }
		w.start()
		e := w.settled(w.deliver(w.push(commit1)))
		w.is(e, core.StatusError, "")
		if e.Error == nil || e.Error.Code != core.CodeInternal || e.Error.Detail != "" {
			t.Errorf("got %+v", e.Error)
		}
	})
}

func TestStoreThatFailsAccepts(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.options.Store = failingStore{w.store}
		_, err := deploy.New(w.options).Deliver(w.t.Context(), w.request(w.push(commit1)))
		if got, want := core.CodeOf(err), core.CodeFailedToStorePayload; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// If the store has too much to do, the sender is asked to send the delivery again.
func TestStoreIsOverloaded(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.options.Store = overloadedStore{w.store}
		service := deploy.New(w.options)
		_, err := service.Deliver(w.t.Context(), w.request(w.push(commit1)))
		for _, err := range []error{err, service.Admit()} {
			if got, want := core.CodeOf(err), core.CodeHTTPUnavailable; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		if err := deploy.New(deploy.Options{Store: w.store}).Admit(); err != nil {
			t.Errorf("of a store that has not: %v", err)
		}
	})
}

type overloadedStore struct{ deploy.Store }

func (overloadedStore) Admit() error { return core.ErrOverloaded }

func (overloadedStore) Accept(context.Context, deploy.Acceptance) (core.Change, bool, error) {
	return core.Change{}, false, fmt.Errorf("accept: %w", core.ErrOverloaded)
}

func TestWaitReturnsWithTheOutcome(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.platform.Started = func(string, string, string) { <-time.After(3 * time.Second) }
		w.start()
		id := w.deliver(w.push(commit1))
		begin := time.Now()
		change, err := w.service.Wait(w.t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		w.is(change.Entry, core.StatusOK, "")
		if got := time.Since(begin); got != 3*time.Second {
			t.Errorf("it took %s", got)
		}
		if _, err := w.service.Wait(w.t.Context(), "nothing"); core.CodeOf(err) != core.CodeStatusNotFound {
			t.Errorf("got %v", err)
		}
	})
}

// trace records what a Tracer is called with.
type trace struct {
	received, repeated int
	sender             string
	attempts           []core.Entry // as they ended
}

func (t *trace) Received(_ context.Context, _ core.Entry, d core.Delivery, repeat bool, _, _ time.Time) {
	t.sender = d.Header.Get("Traceparent")
	if t.received++; repeat {
		t.repeated++
	}
}

// tracedKey is the key of the context of an attempt.
type tracedKey struct{}

func (t *trace) Attempt(ctx context.Context, e core.Entry) (context.Context, func(core.Entry, error)) {
	return context.WithValue(ctx, tracedKey{}, e.ID), func(e core.Entry, err error) {
		if err == nil {
			t.attempts = append(t.attempts, e)
		}
	}
}
