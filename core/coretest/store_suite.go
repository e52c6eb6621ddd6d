package coretest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// Harness makes the Stores that a suite tests.
type Harness struct {
	// New returns an empty Store that keeps at most 50 changes of each user and
	// uses the clock now. It is closed by t.Cleanup.
	New func(t *testing.T, now func() time.Time) Store
	// Restart closes a Store of New and opens it again, as a new process does
	// after the old one died. It is nil if the Store is not persistent.
	Restart func(t *testing.T, s Store) Store
	// Clean makes a Store of New remove the changes that are more than a week old,
	// by its clock. It is nil if the Store keeps changes of any age.
	Clean func(t *testing.T, s Store) error
}

// keptChanges is the number of changes that a Store of Harness.New keeps.
const keptChanges = 50

// clock is a clock that only move changes.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fixture is one Store under test, with helpers for the suite.
type fixture struct {
	*testing.T
	h     Harness
	s     Store
	clock *clock
	last  int
}

// TestStore checks that a Store implements its ports.
func TestStore(t *testing.T, h Harness) {
	t.Helper()
	for name, test := range map[string]func(*fixture){
		"Accept":            testAccept,
		"AcceptRepeat":      testAcceptRepeat,
		"AcceptCancelled":   testAcceptCancelled,
		"AcceptHuge":        testAcceptHuge,
		"AcceptConcurrent":  testAcceptConcurrent,
		"Save":              testSave,
		"SaveConflict":      testSaveConflict,
		"SaveConcurrent":    testSaveConcurrent,
		"ByCommit":          testByCommit,
		"ByCommitOfUser":    testByCommitOfUser,
		"ClaimOrder":        testClaimOrder,
		"ClaimLanes":        testClaimLanes,
		"ClaimLater":        testClaimLater,
		"ClaimConcurrent":   testClaimConcurrent,
		"LeaseExpires":      testLeaseExpires,
		"Renew":             testRenew,
		"LaneClaimed":       testLaneClaimed,
		"Requeue":           testRequeue,
		"Hold":              testHold,
		"Newest":            testNewest,
		"NewestByOrder":     testNewestByOrder,
		"NewestByPush":      testNewestByPush,
		"EnterWakes":        testEnterWakes,
		"ClaimApp":          testClaimApp,
		"AppClaimed":        testAppClaimed,
		"Ready":             testReady,
		"Backlog":           testBacklog,
		"Order":             testOrder,
		"ClockLists":        testListsAfterClockSetBack,
		"ClockDelays":       testDelaysAfterClockSetBack,
		"ClockLeases":       testLeasesAfterClockSetBack,
		"ClockPushed":       testPushedBeforeClockSetBack,
		"ClockFuturePush":   testPushedInTheFuture,
		"ClockSet":          testClockSet,
		"OutboxClaim":       testOutboxClaim,
		"OutboxDone":        testOutboxDone,
		"OutboxRestart":     testOutboxRestart,
		"OutboxConcurrent":  testOutboxConcurrent,
		"Log":               testLog,
		"LogMovesWithApp":   testLogMovesWithApp,
		"Changes":           testChanges,
		"ChangesGone":       testChangesGone,
		"ChangesAllGone":    testChangesAllGone,
		"ChangesNeverBack":  testChangesNeverBack,
		"Watch":             testWatch,
		"Restart":           testRestart,
		"NothingThere":      testNothingThere,
		"NamelessUser":      testNamelessUser,
		"SharesNoMemory":    testSharesNoMemory,
		"CancelledContexts": testCancelledContexts,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			test(&fixture{T: t, h: h, s: h.New(t, c.Now), clock: c})
		})
	}
}

// entry returns a new entry of user. Ids are ordered by time, as in production.
func (f *fixture) entry(user string) core.Entry {
	f.last++
	now := f.clock.Now()
	return core.Entry{
		ID: fmt.Sprintf("%012x%020x", now.UnixMilli(), f.last), User: user, Status: core.StatusPending, Provider: core.ProviderGitHub, Kind: core.EventPush,
		Repository: core.Repository{Forge: "forge.example", Owner: "Owner", Name: "Repo"}, Commit: core.Commit{ID: fmt.Sprintf("%040d", f.last)},
		Steps: []core.Step{}, CreatedAt: now, UpdatedAt: now,
	}
}

// accept accepts e and queues it unless p is nil.
func (f *fixture) accept(e core.Entry, p *deploy.Place) core.Change {
	f.Helper()
	c, repeat, err := f.s.Accept(f.Context(), deploy.Acceptance{Entry: e, Payload: []byte("{}"), Place: p})
	if err != nil || repeat {
		f.Fatalf("accept: repeat %t, %v", repeat, err)
	}
	return c
}

// queue accepts a new entry of user u into a lane.
func (f *fixture) queue(lane string) core.Change {
	f.Helper()
	return f.accept(f.entry("u"), &deploy.Place{Lane: lane})
}

// claim requires that Claim returns the entry with that id, or none if want is "".
func (f *fixture) claim(want string) deploy.Claim {
	f.Helper()
	c, found, _, err := f.s.Claim(f.Context(), time.Minute)
	if err != nil {
		f.Fatalf("claim: %v", err)
	}
	if got := c.Change.Entry.ID; found != (want != "") || got != want {
		f.Fatalf("claim: got %q, want %q", got, want)
	}
	return c
}

// renew requires that c can be renewed and that newest is the newest entry.
func (f *fixture) renew(c deploy.Claim, newest string) {
	f.Helper()
	if got, err := f.s.Renew(f.Context(), c, time.Minute); err != nil || got != newest {
		f.Fatalf("renew: got newest %q, %v; want %q", got, err, newest)
	}
}

// claimApp requires that c can be extended to app and that newest is the newest
// entry.
func (f *fixture) claimApp(c deploy.Claim, app, newest string) {
	f.Helper()
	if got, busy, err := f.s.ClaimApp(f.Context(), c, app); err != nil || busy || got != newest {
		f.Fatalf("claim app: got newest %q, busy %t, %v; want %q", got, busy, err, newest)
	}
}

func (f *fixture) update(e core.Entry, claim int) core.Change {
	f.Helper()
	c, err := f.s.Update(f.Context(), e, claim)
	f.must(err)
	return c
}

func (f *fixture) requeue(e core.Entry, claim int, p deploy.Place) core.Change {
	f.Helper()
	c, err := f.s.Requeue(f.Context(), e, claim, p)
	f.must(err)
	return c
}

func (f *fixture) hold(e core.Entry, claim int, until time.Time) core.Change {
	f.Helper()
	c, err := f.s.Hold(f.Context(), e, claim, until)
	f.must(err)
	return c
}

func (f *fixture) finish(e core.Entry, claim int) core.Change {
	f.Helper()
	c, err := f.s.Finish(f.Context(), e, claim)
	f.must(err)
	return c
}

func (f *fixture) find(id string) core.Change {
	f.Helper()
	c, err := f.s.Find(f.Context(), id)
	f.must(err)
	return c
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// cancelled returns a context that has ended.
func (f *fixture) cancelled() context.Context {
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	return ctx
}
