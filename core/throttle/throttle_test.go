package throttle_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/throttle"
)

// bench is a Throttle whose time the test sets.
type bench struct {
	*throttle.Throttle
	t   *testing.T
	now time.Time
}

func setup(t *testing.T, o throttle.Options) *bench {
	b := &bench{t: t, now: time.Unix(1e9, 0)}
	o.Now = func() time.Time { return b.now }
	b.Throttle = throttle.New(o)
	return b
}

// try makes n tries that end so; each must be allowed.
func (b *bench) try(n int, address, user string, o throttle.Outcome) {
	b.t.Helper()
	for i := range n {
		done, wait := b.Try(b.t.Context(), address, core.Credentials{Username: user})
		if wait != 0 {
			b.t.Fatalf("try %d of %s at %s has to wait for %s", i+1, user, address, wait)
		}
		done(o)
	}
}

func (b *bench) waits(address, user string, want time.Duration) {
	b.t.Helper()
	done, wait := b.Try(b.t.Context(), address, core.Credentials{Username: user})
	if wait != want {
		b.t.Fatalf("%s at %s waits for %s, want %s", user, address, wait, want)
	}
	if done != nil {
		done(throttle.Unknown)
	}
}

func TestPausesGrow(t *testing.T) {
	t.Parallel()
	b := setup(t, throttle.Options{})
	b.try(10, "192.0.2.1", "alice", throttle.Wrong)
	for _, pause := range []time.Duration{1, 2, 4, 8, 15, 15} {
		b.waits("192.0.2.1", "alice", pause*time.Minute)
		b.now = b.now.Add(pause*time.Minute - time.Second)
		b.waits("192.0.2.1", "alice", time.Second)
		b.now = b.now.Add(time.Second)
		b.try(1, "192.0.2.1", "alice", throttle.Wrong)
	}
	b.waits("192.0.2.1", "bob", 0)
	b.waits("192.0.2.2", "alice", 0)
	b.now = b.now.Add(25 * time.Hour)
	b.try(9, "192.0.2.1", "alice", throttle.Wrong) // forgotten
	b.try(1, "192.0.2.1", "alice", throttle.Right)
	b.try(10, "192.0.2.1", "alice", throttle.Wrong) // forgiven
	b.waits("192.0.2.1", "alice", time.Minute)
}

func TestWhatNobodyJudgedDoesNotCount(t *testing.T) {
	t.Parallel()
	b := setup(t, throttle.Options{})
	b.try(1000, "192.0.2.1", "alice", throttle.Unknown)
}

// Tries that are sent at once are let in as far as they could all be wrong; the
// others when it is known what those were.
func TestTriesAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		outcome throttle.Outcome
		in      int // of 30
	}{
		"wrong":   {throttle.Wrong, 10},
		"right":   {throttle.Right, 30},
		"unknown": {throttle.Unknown, 30},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &bench{t: t, Throttle: throttle.New(throttle.Options{})}
				entered, judge := make(chan struct{}, 30), make(chan struct{})
				var all sync.WaitGroup
				var refused atomic.Int64
				for range 30 {
					all.Go(func() {
						done, wait := b.Try(t.Context(), "192.0.2.1", core.Credentials{Username: "alice"})
						if wait != 0 {
							refused.Add(1)
							return
						}
						entered <- struct{}{}
						<-judge
						done(c.outcome)
					})
				}
				synctest.Wait()
				if n := len(entered); n != 10 {
					t.Errorf("%d at once, want 10", n)
				}
				close(judge)
				all.Wait()
				if n := len(entered); n != c.in || int(refused.Load()) != 30-c.in {
					t.Errorf("%d were let in and %d refused, want %d in", n, refused.Load(), c.in)
				}
			})
		})
	}
}

// One address that guesses at many users.
func TestBudgetOfAnAddress(t *testing.T) {
	t.Parallel()
	b := setup(t, throttle.Options{})
	b.try(1, "192.0.2.1", "known", throttle.Right)
	for i := range 100 {
		b.try(1, "192.0.2.1", fmt.Sprint("user", i), throttle.Wrong)
	}
	b.waits("192.0.2.1", "another", 6*time.Second)
	b.waits("192.0.2.1", "known", 0) // whom it does not concern
	b.waits("192.0.2.2", "another", 0)
	b.now = b.now.Add(6 * time.Second)
	b.try(1, "192.0.2.1", "another", throttle.Wrong)
	b.waits("192.0.2.1", "another", 6*time.Second)
}

// Many addresses that guess at one user.
func TestBudgetOfAUser(t *testing.T) {
	t.Parallel()
	b := setup(t, throttle.Options{})
	for i := range 100 {
		b.try(1, fmt.Sprintf("10.0.%d.1", i), "alice", throttle.Wrong)
	}
	b.waits("10.0.0.1", "alice", 6*time.Second)
	b.try(1, "192.0.2.1", "alice", throttle.Right) // she herself, from an address that was never wrong
	b.try(1, "10.0.0.1", "bob", throttle.Wrong)
}

func TestAddressesOfVersionSix(t *testing.T) {
	t.Parallel()
	b := setup(t, throttle.Options{})
	for i := range 10 {
		b.try(1, fmt.Sprintf("2001:db8:0:1::%x", i+1), "alice", throttle.Wrong)
	}
	b.waits("2001:db8:0:1:ffff::1", "alice", time.Minute)
	b.waits("2001:db8:0:2::1", "alice", 0)
	b.try(10, "::ffff:192.0.2.1", "alice", throttle.Wrong)
	b.waits("192.0.2.1", "alice", time.Minute)
}

// Who has many addresses and invents users does not fill the memory, and does
// not get rid of the memory of those who are at work.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, throttle.Options{Memory: 100})
	b.try(10, "192.0.2.1", "alice", throttle.Wrong)
	for i := range 10_000 {
		if done, wait := b.Try(b.t.Context(), fmt.Sprintf("10.%d.%d.1", i/250, i%250), core.Credentials{Username: fmt.Sprint("user", i)}); wait == 0 {
			done(throttle.Wrong)
		}
		if i%40 == 0 {
			b.waits("192.0.2.1", "alice", time.Minute)
		}
	}
	if pairs, addresses, users := b.Remembered(); pairs > 100 || addresses > 100 || users > 100 {
		t.Errorf("remembers %d pairs, %d addresses and %d users; want at most 100", pairs, addresses, users)
	}
}

// One address that invents users, whose tries nobody can judge, takes no more
// than others do: names are kept at one length, and what is not let in is not
// kept at all.
func TestMemoryIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	b := setup(t, throttle.Options{Memory: 2000})
	for i := range 100 {
		b.try(1, "192.0.2.1", fmt.Sprint("user", i), throttle.Wrong)
	}
	long := strings.Repeat("x", 45<<10)
	for i := range 500 {
		b.waits("192.0.2.1", fmt.Sprint(long, i), 6*time.Second)
	}
	if pairs, _, _ := b.Remembered(); pairs != 100 {
		t.Errorf("remembers %d pairs, want those that were let in", pairs)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 500 {
		b.try(1, "192.0.2.2", fmt.Sprint(long, i), throttle.Unknown)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("500 pairs take %d bytes", grown)
	}
	runtime.KeepAlive(b)
}

// An API token that was right lately does not wait for those who guess at its
// user from the same address, as from GitHub's anyone can; whether a password
// that somebody may guess is right, nobody learns meanwhile.
func TestTokenThatWasRightNeverWaits(t *testing.T) {
	t.Parallel()
	b := setup(t, throttle.Options{})
	token := core.Credentials{Username: "alice", Password: core.Secret(strings.Repeat("f", 64))}
	password := core.Credentials{Username: "alice", Password: "correct horse"}
	use := func(address string, c core.Credentials, o throttle.Outcome, want time.Duration) {
		t.Helper()
		done, wait := b.Try(t.Context(), address, c)
		if wait != want {
			t.Errorf("at %s: waits for %s, want %s", address, wait, want)
		}
		if done != nil {
			done(o)
		}
	}
	use("192.0.2.1", token, throttle.Right, 0)
	use("192.0.2.1", password, throttle.Right, 0)
	for _, address := range []string{"192.0.2.1", "192.0.2.2"} {
		b.try(10, address, "alice", throttle.Wrong)
	}
	use("192.0.2.1", password, throttle.Right, time.Minute)
	use("192.0.2.1", core.Credentials{Username: "alice", Password: core.Secret(strings.Repeat("e", 64))}, throttle.Wrong, time.Minute)
	use("192.0.2.1", core.Credentials{Username: "bob", Password: token.Password}, throttle.Unknown, 0)
	use("192.0.2.2", token, throttle.Unknown, 0) // GitHub has many addresses
	use("192.0.2.2", token, throttle.Wrong, 0)   // it was taken back meanwhile
	use("192.0.2.2", token, throttle.Wrong, 2*time.Minute)
}
