package throttle_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodejitsu/webhooks/httpapi/serve/throttle"
)

// fixture is a Throttle whose time the test sets.
type fixture struct {
	*throttle.Throttle
	t   *testing.T
	now time.Time
}

func setup(t *testing.T, o throttle.Options) *fixture {
	f := &fixture{t: t, now: time.Unix(1e9, 0)}
	o.Now = func() time.Time { return f.now }
	f.Throttle = throttle.New(o)
	return f
}

// attempt makes one that ends as o says, and returns how long it has to wait.
func (f *fixture) attempt(a throttle.Attempt, o throttle.Outcome) time.Duration {
	f.t.Helper()
	made := false
	err := f.Do(f.t.Context(), a, func() (throttle.Outcome, error) {
		made = true
		return o, errMade
	})
	if made && errors.Is(err, errMade) {
		return 0
	}
	wait, ok := errors.AsType[*throttle.WaitError](err)
	if !ok || made || wait.After <= 0 {
		f.t.Fatalf("Do: %v, made %t", err, made)
	}
	return wait.After
}

var errMade = errors.New("made")

// try makes n attempts that end as o says; none may have to wait.
func (f *fixture) try(n int, address, user string, o throttle.Outcome) {
	f.t.Helper()
	for i := range n {
		if wait := f.attempt(throttle.Attempt{Address: address, User: user}, o); wait != 0 {
			f.t.Fatalf("attempt %d of %s at %s has to wait for %s", i+1, user, address, wait)
		}
	}
}

func (f *fixture) waits(address, user string, want time.Duration) {
	f.t.Helper()
	if wait := f.attempt(throttle.Attempt{Address: address, User: user}, throttle.Unknown); wait != want {
		f.t.Fatalf("%s at %s waits for %s, want %s", user, address, wait, want)
	}
}

func TestPausesGrow(t *testing.T) {
	t.Parallel()
	f := setup(t, throttle.Options{})
	f.try(10, "192.0.2.1", "alice", throttle.Wrong)
	for _, pause := range []time.Duration{1, 2, 4, 8, 15, 15} {
		f.waits("192.0.2.1", "alice", pause*time.Minute)
		f.now = f.now.Add(pause*time.Minute - time.Second)
		f.waits("192.0.2.1", "alice", time.Second)
		f.now = f.now.Add(time.Second)
		f.try(1, "192.0.2.1", "alice", throttle.Wrong)
	}
	f.waits("192.0.2.1", "bob", 0)
	f.waits("192.0.2.2", "alice", 0)
	f.now = f.now.Add(25 * time.Hour)
	f.try(9, "192.0.2.1", "alice", throttle.Wrong) // forgotten
	f.try(1, "192.0.2.1", "alice", throttle.Right)
	f.try(10, "192.0.2.1", "alice", throttle.Wrong) // forgiven
	f.waits("192.0.2.1", "alice", time.Minute)
}

func TestUnknownOutcomeDoesNotCount(t *testing.T) {
	t.Parallel()
	f := setup(t, throttle.Options{})
	f.try(1000, "192.0.2.1", "alice", throttle.Unknown)
}

// Concurrent attempts are made as far as all of them could be wrong; the others
// when the outcome of those is known.
func TestConcurrentAttempts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		outcome throttle.Outcome
		made    int // of 30
	}{
		"wrong":   {throttle.Wrong, 10},
		"right":   {throttle.Right, 30},
		"unknown": {throttle.Unknown, 30},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				logins := throttle.New(throttle.Options{})
				made, end := make(chan struct{}, 30), make(chan struct{})
				var all sync.WaitGroup
				var refused atomic.Int64
				for range 30 {
					all.Go(func() {
						err := logins.Do(t.Context(), throttle.Attempt{Address: "192.0.2.1", User: "alice"}, func() (throttle.Outcome, error) {
							made <- struct{}{}
							<-end
							return c.outcome, nil
						})
						if err != nil {
							refused.Add(1)
						}
					})
				}
				synctest.Wait()
				if n := len(made); n != 10 {
					t.Errorf("%d at once, want 10", n)
				}
				close(end)
				all.Wait()
				if n := len(made); n != c.made || int(refused.Load()) != 30-c.made {
					t.Errorf("%d were made and %d refused, want %d made", n, refused.Load(), c.made)
				}
			})
		})
	}
}

// One address that guesses at many users.
func TestBudgetOfAnAddress(t *testing.T) {
	t.Parallel()
	f := setup(t, throttle.Options{})
	f.try(1, "192.0.2.1", "known", throttle.Right)
	for i := range 100 {
		f.try(1, "192.0.2.1", fmt.Sprint("user", i), throttle.Wrong)
	}
	f.waits("192.0.2.1", "another", 6*time.Second)
	f.waits("192.0.2.1", "known", 0) // whom the budget does not concern
	f.waits("192.0.2.2", "another", 0)
	f.now = f.now.Add(6 * time.Second)
	f.try(1, "192.0.2.1", "another", throttle.Wrong)
	f.waits("192.0.2.1", "another", 6*time.Second)
}

// Many addresses that guess at one user.
func TestBudgetOfAUser(t *testing.T) {
	t.Parallel()
	f := setup(t, throttle.Options{})
	for i := range 100 {
		f.try(1, fmt.Sprintf("10.0.%d.1", i), "alice", throttle.Wrong)
	}
	f.waits("10.0.0.1", "alice", 6*time.Second)
	f.try(1, "192.0.2.1", "alice", throttle.Right) // she herself, from an address that was never wrong
	f.try(1, "10.0.0.1", "bob", throttle.Wrong)
}

func TestAddressesOfVersionSix(t *testing.T) {
	t.Parallel()
	f := setup(t, throttle.Options{})
	for i := range 10 {
		f.try(1, fmt.Sprintf("2001:db8:0:1::%x", i+1), "alice", throttle.Wrong)
	}
	f.waits("2001:db8:0:1:ffff::1", "alice", time.Minute)
	f.waits("2001:db8:0:2::1", "alice", 0)
	f.try(10, "::ffff:192.0.2.1", "alice", throttle.Wrong)
	f.waits("192.0.2.1", "alice", time.Minute)
}

// A client with many addresses that invents users does not fill the memory, and
// does not push out what is in use.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	f := setup(t, throttle.Options{Memory: 100})
	f.try(10, "192.0.2.1", "alice", throttle.Wrong)
	for i := range 10_000 {
		f.attempt(throttle.Attempt{Address: fmt.Sprintf("10.%d.%d.1", i/250, i%250), User: fmt.Sprint("user", i)}, throttle.Wrong)
		if i%40 == 0 {
			f.waits("192.0.2.1", "alice", time.Minute)
		}
	}
	if pairs, addresses, users := f.Remembered(); pairs > 100 || addresses > 100 || users > 100 {
		t.Errorf("remembers %d pairs, %d addresses and %d users; want at most 100", pairs, addresses, users)
	}
}

// One address that invents users, whose credentials can't be verified, takes no
// more memory than others do: names have one length, and attempts that are not
// made are not remembered.
func TestMemoryIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	f := setup(t, throttle.Options{Memory: 2000})
	for i := range 100 {
		f.try(1, "192.0.2.1", fmt.Sprint("user", i), throttle.Wrong)
	}
	long := strings.Repeat("x", 45<<10)
	for i := range 500 {
		f.waits("192.0.2.1", fmt.Sprint(long, i), 6*time.Second)
	}
	if pairs, _, _ := f.Remembered(); pairs != 100 {
		t.Errorf("remembers %d pairs, want those of attempts that were made", pairs)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 500 {
		f.try(1, "192.0.2.2", fmt.Sprint(long, i), throttle.Unknown)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("500 pairs take %d bytes", grown)
	}
	runtime.KeepAlive(f)
}

// An API token that was right recently does not wait because of others who guess
// at its user from the same address, as anybody can from GitHub's. Whether a
// guess of a short password is right can't be found out meanwhile.
func TestRightTokenNeverWaits(t *testing.T) {
	t.Parallel()
	f := setup(t, throttle.Options{})
	token := throttle.Attempt{User: "alice", Secret: strings.Repeat("f", 64)}
	password := throttle.Attempt{User: "alice", Secret: "correct horse"}
	use := func(address string, a throttle.Attempt, o throttle.Outcome, want time.Duration) {
		t.Helper()
		a.Address = address
		if wait := f.attempt(a, o); wait != want {
			t.Errorf("at %s: waits for %s, want %s", address, wait, want)
		}
	}
	use("192.0.2.1", token, throttle.Right, 0)
	use("192.0.2.1", password, throttle.Right, 0)
	for _, address := range []string{"192.0.2.1", "192.0.2.2"} {
		f.try(10, address, "alice", throttle.Wrong)
	}
	use("192.0.2.1", password, throttle.Right, time.Minute)
	use("192.0.2.1", throttle.Attempt{User: "alice", Secret: strings.Repeat("e", 64)}, throttle.Wrong, time.Minute)
	use("192.0.2.1", throttle.Attempt{User: "bob", Secret: token.Secret}, throttle.Unknown, 0)
	use("192.0.2.2", token, throttle.Unknown, 0) // GitHub has many addresses
	use("192.0.2.2", token, throttle.Wrong, 0)   // it was revoked meanwhile
	use("192.0.2.2", token, throttle.Wrong, 2*time.Minute)
}

// Who was right recently is remembered across a restart.
func TestRestore(t *testing.T) {
	t.Parallel()
	before := setup(t, throttle.Options{})
	token := throttle.Attempt{Address: "192.0.2.1", User: "alice", Secret: strings.Repeat("f", 64)}
	before.attempt(token, throttle.Right)
	before.try(1, "192.0.2.1", "bob", throttle.Right)
	if !before.Changed() {
		t.Error("it says that there is nothing to save")
	}
	saved, err := before.Save()
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"alice", "bob", "192.0.2.1", token.Secret} {
		if strings.Contains(string(saved), secret) {
			t.Errorf("%q can be read: %s", secret, saved)
		}
	}
	before.attempt(token, throttle.Right)
	if before.Changed() {
		t.Error("it says that something changed, a moment later")
	}
	before.now = before.now.Add(2 * time.Hour)
	if before.attempt(token, throttle.Right); !before.Changed() {
		t.Error("it says that nothing changed, after hours")
	}

	after := setup(t, throttle.Options{})
	if err := after.Restore(saved); err != nil {
		t.Fatal(err)
	}
	for i := range 100 { // another client guesses from the same address
		after.try(1, "192.0.2.1", fmt.Sprint("user", i), throttle.Wrong)
	}
	after.waits("192.0.2.1", "another", 6*time.Second)
	after.waits("192.0.2.1", "bob", 0)
	after.try(10, "192.0.2.1", "alice", throttle.Wrong)
	if wait := after.attempt(token, throttle.Right); wait != 0 {
		t.Errorf("a token that was right before waits for %s", wait)
	}
	after.now = after.now.Add(25 * time.Hour) // it was right too long ago
	after.try(10, "192.0.2.1", "bob", throttle.Wrong)
	after.waits("192.0.2.1", "bob", time.Minute)
}

func TestRestoreFails(t *testing.T) {
	t.Parallel()
	for _, saved := range []string{"", "{", "{}", `{"key":"AAAA"}`, `{"key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","pairs":{"zz":1}}`} {
		f := setup(t, throttle.Options{})
		if err := f.Restore([]byte(saved)); err == nil {
			t.Errorf("%q was restored", saved)
		}
		f.try(1, "192.0.2.1", "alice", throttle.Right)
	}
}
