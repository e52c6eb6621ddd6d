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
	// New returns an empty Store that keeps at most 50 changes a user and
	// reads the time from now. It is released by t.Cleanup.
	New func(t *testing.T, now func() time.Time) Store
	// Restart closes a Store that New made and opens it again as a new
	// process would, one that follows another which died. Nil: the Store
	// keeps nothing.
	Restart func(t *testing.T, s Store) Store
}

// keptChanges is what Harness.New is asked to keep.
const keptChanges = 50

// clock is a time that stands still until it is moved.
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

// bench is one Store under test, with short words for what the suite does.
type bench struct {
	*testing.T
	h     Harness
	s     Store
	clock *clock
	last  int
}

// TestStore proves that a Store does what its ports say.
func TestStore(t *testing.T, h Harness) {
	t.Helper()
	for name, test := range map[string]func(*bench){
		"Accept":            testAccept,
		"AcceptRepeat":      testAcceptRepeat,
		"AcceptCancelled":   testAcceptCancelled,
		"AcceptHuge":        testAcceptHuge,
		"AcceptConcurrent":  testAcceptConcurrent,
		"Save":              testSave,
		"SaveConflict":      testSaveConflict,
		"SaveConcurrent":    testSaveConcurrent,
		"ByCommit":          testByCommit,
		"ClaimOrder":        testClaimOrder,
		"ClaimLanes":        testClaimLanes,
		"ClaimLater":        testClaimLater,
		"ClaimConcurrent":   testClaimConcurrent,
		"LeaseRunsOut":      testLeaseRunsOut,
		"Renew":             testRenew,
		"LaneTaken":         testLaneTaken,
		"GivenUp":           testGivenUp,
		"Newest":            testNewest,
		"NewestByPush":      testNewestByPush,
		"EnterWakes":        testEnterWakes,
		"Join":              testJoin,
		"AppTaken":          testAppTaken,
		"Ready":             testReady,
		"Owed":              testOwed,
		"Told":              testTold,
		"OwedRestart":       testOwedRestart,
		"OwedConcurrent":    testOwedConcurrent,
		"Log":               testLog,
		"LogMovesWithApp":   testLogMovesWithApp,
		"Changes":           testChanges,
		"ChangesGone":       testChangesGone,
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
			test(&bench{T: t, h: h, s: h.New(t, c.Now), clock: c})
		})
	}
}

// entry returns a new entry of user, whose id sorts after all before it.
func (b *bench) entry(user string) core.Entry {
	b.last++
	return core.Entry{
		ID: fmt.Sprintf("%032x", b.last), User: user, Status: core.StatusPending, Provider: core.ProviderGitHub, Kind: core.EventPush,
		Repository: core.Repository{Owner: "Owner", Name: "Repo"}, Commit: core.Commit{ID: fmt.Sprintf("%040d", b.last)},
		Steps: []core.Step{}, CreatedAt: b.clock.Now(), UpdatedAt: b.clock.Now(),
	}
}

// accept accepts an entry of user u, queued where p is not nil.
func (b *bench) accept(e core.Entry, p *deploy.Place) core.Change {
	b.Helper()
	c, repeat, err := b.s.Accept(b.Context(), deploy.Acceptance{Entry: e, Payload: []byte("{}"), Place: p})
	if err != nil || repeat {
		b.Fatalf("accept: repeat %t, %v", repeat, err)
	}
	return c
}

// queue accepts a new entry into a lane that it enters.
func (b *bench) queue(lane string) core.Change {
	b.Helper()
	return b.accept(b.entry("u"), &deploy.Place{Lane: lane, Enter: lane != ""})
}

// claim claims and wants the entry of that id, or none for "".
func (b *bench) claim(want string) deploy.Claim {
	b.Helper()
	c, found, _, err := b.s.Claim(b.Context(), time.Minute)
	if err != nil {
		b.Fatalf("claim: %v", err)
	}
	if got := c.Change.Entry.ID; found != (want != "") || got != want {
		b.Fatalf("claim: got %q, want %q", got, want)
	}
	return c
}

func (b *bench) save(e core.Entry, m deploy.Move) core.Change {
	b.Helper()
	c, err := b.s.Save(b.Context(), e, m)
	if err != nil {
		b.Fatalf("save: %v", err)
	}
	return c
}

func (b *bench) find(id string) core.Change {
	b.Helper()
	c, err := b.s.Find(b.Context(), id)
	if err != nil {
		b.Fatalf("find: %v", err)
	}
	return c
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// cancelled returns a context that has ended.
func (b *bench) cancelled() context.Context {
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	return ctx
}
