package coretest

import (
	"errors"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

func testClaimOrder(f *fixture) {
	now := f.clock.Now()
	late := f.accept(f.entry("u"), &deploy.Place{Lane: "1", At: now.Add(-time.Second)})
	early := f.accept(f.entry("u"), &deploy.Place{Lane: "2", At: now.Add(-time.Minute)})
	first := f.queue("3")
	f.clock.move(-time.Hour) // ids sort by time, and the clock was set back
	second := f.queue("4")
	f.clock.move(time.Hour)
	for _, want := range []core.Change{first, second, early, late} {
		c := f.claim(want.Entry.ID)
		if c.Attempt != 1 || c.Lost || c.Change.Entry.Attempts != 1 || c.Change.Entry.Revision != 2 {
			f.Errorf("got %+v", c)
		}
	}
	f.claim("")
}

func testClaimLanes(f *fixture) {
	first, second := f.queue("lane"), f.queue("lane")
	free, other := f.accept(f.entry("u"), &deploy.Place{}), f.accept(f.entry("u"), &deploy.Place{})
	claim := f.claim(first.Entry.ID)
	f.claim(free.Entry.ID)
	f.claim(other.Entry.ID) // entries without a lane do not block each other
	f.claim("")             // second waits for its lane
	f.update(claim.Change.Entry, 0)
	f.claim("")
	f.finish(f.find(first.Entry.ID).Entry, 0)
	f.claim(second.Entry.ID)
}

func testClaimLater(f *fixture) {
	at := f.clock.Now().Add(time.Hour)
	c := f.accept(f.entry("u"), &deploy.Place{Lane: "lane", At: at})
	if _, found, next, err := f.s.Claim(f.Context(), time.Minute); found || err != nil || !next.Equal(at) {
		f.Errorf("got found %t, next %s, %v; want next %s", found, next, err, at)
	}
	f.clock.move(time.Hour)
	f.claim(c.Entry.ID)
}

// Concurrent claims never get the same entry or lane.
func testClaimConcurrent(f *fixture) {
	for i := range 24 {
		f.queue(string(rune('a' + i%8)))
	}
	var group sync.WaitGroup
	claims := make(chan string, 24)
	for range 12 {
		group.Go(func() {
			for {
				c, found, _, err := f.s.Claim(f.Context(), time.Minute)
				if err != nil {
					f.Error(err)
				}
				if err != nil || !found {
					return
				}
				claims <- c.Change.Entry.ID
			}
		})
	}
	group.Wait()
	close(claims)
	seen := map[string]bool{}
	for id := range claims {
		if seen[id] {
			f.Errorf("%s was claimed twice", id)
		}
		seen[id] = true
	}
	if len(seen) != 8 {
		f.Errorf("%d of 8 lanes were claimed", len(seen))
	}
}

func testLeaseExpires(f *fixture) {
	id := f.queue("lane").Entry.ID
	dead := f.claim(id)
	f.clock.move(59 * time.Second)
	f.claim("")
	f.clock.move(2 * time.Second)
	next := f.claim(id)
	if !next.Lost || next.Attempt != 2 {
		f.Errorf("got %+v, want the second attempt after a loss", next)
	}
	if _, err := f.s.Finish(f.Context(), dead.Change.Entry, 0); !errors.Is(err, core.ErrConflict) {
		f.Errorf("the lost claim finishes the entry: %v", err)
	}
	if _, err := f.s.Renew(f.Context(), dead, time.Minute); !errors.Is(err, core.ErrConflict) {
		f.Errorf("the lost claim is renewed: %v", err)
	}
	if _, _, err := f.s.ClaimApp(f.Context(), dead, "app"); !errors.Is(err, core.ErrConflict) {
		f.Errorf("the lost claim claims an app: %v", err)
	}
	f.refuse(next.Change.Entry, dead) // even with the newest revision
	f.finish(next.Change.Entry, next.Attempt)
}

// refuse requires that e can't be saved in any way under a claim that was lost.
func (f *fixture) refuse(e core.Entry, lost deploy.Claim) {
	f.Helper()
	for name, save := range map[string]func() (core.Change, error){
		"Update":  func() (core.Change, error) { return f.s.Update(f.Context(), e, lost.Attempt) },
		"Requeue": func() (core.Change, error) { return f.s.Requeue(f.Context(), e, lost.Attempt, deploy.Place{}) },
		"Hold":    func() (core.Change, error) { return f.s.Hold(f.Context(), e, lost.Attempt, f.clock.Now()) },
		"Finish":  func() (core.Change, error) { return f.s.Finish(f.Context(), e, lost.Attempt) },
	} {
		if _, err := save(); !errors.Is(err, core.ErrConflict) {
			f.Errorf("%s under a lost claim: %v", name, err)
		}
	}
}

func testRenew(f *fixture) {
	id := f.queue("lane").Entry.ID
	c := f.claim(id)
	for range 3 {
		f.clock.move(50 * time.Second)
		f.renew(c, id)
	}
	f.claim("")
	f.finish(c.Change.Entry, 0)
	if _, err := f.s.Renew(f.Context(), c, time.Minute); !errors.Is(err, core.ErrConflict) {
		f.Errorf("a claim that was ended is renewed: %v", err)
	}
	f.refuse(f.find(id).Entry, c)
}

// An expired claim can be renewed until its lane is claimed again.
func testLaneClaimed(f *fixture) {
	first := f.accept(f.entry("u"), &deploy.Place{Lane: "lane", At: f.clock.Now()})
	slow := f.claim(first.Entry.ID)
	f.clock.move(2 * time.Minute)
	f.renew(slow, first.Entry.ID)
	e := f.update(slow.Change.Entry, slow.Attempt).Entry
	f.clock.move(2 * time.Minute)
	e = f.update(e, slow.Attempt).Entry
	second := f.accept(f.entry("u"), &deploy.Place{Lane: "lane"}) // ready before the first was
	f.claim(second.Entry.ID)
	if _, err := f.s.Renew(f.Context(), slow, time.Minute); !errors.Is(err, core.ErrConflict) {
		f.Errorf("two claims of one lane: %v", err)
	}
	if _, _, err := f.s.ClaimApp(f.Context(), slow, "app"); !errors.Is(err, core.ErrConflict) {
		f.Errorf("claim app of a lost claim: %v", err)
	}
	f.refuse(e, slow)
	f.claim("") // the first waits for its lane
}

func testRequeue(f *fixture) {
	id := f.queue("lane").Entry.ID
	c := f.claim(id)
	f.requeue(c.Change.Entry, c.Attempt, deploy.Place{At: f.clock.Now().Add(time.Minute)})
	f.claim("")
	f.clock.move(time.Minute)
	again := f.claim(id)
	if again.Lost || again.Attempt != 2 {
		f.Errorf("got %+v; its claim was ended, not lost", again)
	}
	if again.Newest != id {
		f.Errorf("it has left its lane: %+v", again)
	}
}

func testHold(f *fixture) {
	until := f.clock.Now().Add(time.Hour)
	first := f.queue("lane")
	c := f.claim(first.Entry.ID)
	c.Change.Entry.Status = core.StatusHeld
	if held := f.hold(c.Change.Entry, c.Attempt, until); held.Entry.Status != core.StatusHeld || held.Entry.Revision != 3 {
		f.Errorf("got %+v", held.Entry)
	}
	if _, found, next, err := f.s.Claim(f.Context(), time.Minute); found || err != nil || !next.Equal(until) {
		f.Errorf("got found %t, next %s, %v; want next %s", found, next, err, until)
	}
	// A held entry does not block its lane.
	second := f.queue("lane")
	woken := f.claim(first.Entry.ID) // as it is not the newest any more
	if woken.Lost || woken.Newest != second.Entry.ID {
		f.Errorf("got %+v", woken)
	}
	f.finish(woken.Change.Entry, woken.Attempt)
	f.claim(second.Entry.ID)
}

func testNewest(f *fixture) {
	first := f.queue("lane")
	c := f.claim(first.Entry.ID)
	if c.Newest != first.Entry.ID {
		f.Errorf("got newest %q", c.Newest)
	}
	second := f.queue("lane")
	f.renew(c, second.Entry.ID)
	// Neither being requeued nor entering the lane again makes it the newest again.
	for _, lane := range []string{"", "lane"} {
		f.requeue(f.find(first.Entry.ID).Entry, 0, deploy.Place{Lane: lane})
		if again := f.claim(first.Entry.ID); again.Newest != second.Entry.ID {
			f.Errorf("got newest %q", again.Newest)
		}
	}
}

// An entry that enters a lane later than it was accepted has the order of its
// acceptance.
func testNewestByOrder(f *fixture) {
	late := f.accept(f.entry("u"), &deploy.Place{})
	c := f.claim(late.Entry.ID)
	newer := f.queue("lane")
	f.requeue(c.Change.Entry, c.Attempt, deploy.Place{Lane: "lane"})
	for range 2 {
		again, _, _, err := f.s.Claim(f.Context(), time.Minute)
		if err != nil || again.Newest != newer.Entry.ID {
			f.Errorf("got newest %q, %v", again.Newest, err)
		}
		f.finish(again.Change.Entry, again.Attempt)
	}
}

func testNewestByPush(f *fixture) {
	queue := func(pushed int64) core.Change {
		return f.accept(f.entry("u"), &deploy.Place{Lane: "lane", PushedAt: time.Unix(pushed, 0).UTC()})
	}
	newer, older := queue(2000), queue(1000)
	c := f.claim(newer.Entry.ID)
	if c.Newest != newer.Entry.ID {
		f.Errorf("an older push is the newest: %q, not %s", c.Newest, older.Entry.ID)
	}
	same := queue(2000)
	f.renew(c, same.Entry.ID) // the later one of two pushes of the same second
	unknown := f.queue("lane")
	f.renew(c, unknown.Entry.ID)
	queue(1500)
	f.renew(c, unknown.Entry.ID) // 1500 is before 2000, the last known time
}

// An entry that waits in the queue becomes ready when it is no longer the newest.
func testEnterWakes(f *fixture) {
	waiting := f.accept(f.entry("u"), &deploy.Place{Lane: "lane", At: f.clock.Now().Add(time.Hour)})
	f.claim("")
	newer := f.queue("lane")
	if c := f.claim(waiting.Entry.ID); c.Newest != newer.Entry.ID {
		f.Errorf("got newest %q", c.Newest)
	}
}

func testClaimApp(f *fixture) {
	first, second := f.queue("1"), f.queue("2")
	one, two := f.claim(first.Entry.ID), f.claim(second.Entry.ID)
	f.claimApp(two, "app", second.Entry.ID)
	if _, busy, err := f.s.ClaimApp(f.Context(), one, "app"); err != nil || !busy {
		f.Errorf("two claims of one app: %t, %v", busy, err)
	}
	f.claimApp(one, "other", first.Entry.ID)
	f.finish(two.Change.Entry, 0)
	f.claimApp(one, "app", second.Entry.ID) // the one that was accepted later is the newest
	f.clock.move(2 * time.Minute)           // one's lease expires, and the app is free
	third := f.queue("3")
	if again := f.claim(first.Entry.ID); again.Newest != first.Entry.ID {
		f.Errorf("got newest %q", again.Newest)
	}
	f.claimApp(f.claim(third.Entry.ID), "app", third.Entry.ID)
}

// An expired claim is lost when another one claims its app, even if its entry was
// not claimed again.
func testAppClaimed(f *fixture) {
	first, second := f.queue("1"), f.queue("2")
	slow, quick := f.claim(first.Entry.ID), f.claim(second.Entry.ID)
	f.claimApp(slow, "app", first.Entry.ID)
	f.clock.move(50 * time.Second)
	f.renew(quick, second.Entry.ID)
	f.clock.move(20 * time.Second)
	f.claimApp(quick, "app", second.Entry.ID)
	if _, err := f.s.Renew(f.Context(), slow, time.Minute); !errors.Is(err, core.ErrConflict) {
		f.Errorf("two claims of one app: %v", err)
	}
	for _, app := range []string{"app", "other"} {
		if _, _, err := f.s.ClaimApp(f.Context(), slow, app); !errors.Is(err, core.ErrConflict) {
			f.Errorf("the lost claim claims %s: %v", app, err)
		}
	}
	f.refuse(slow.Change.Entry, slow)
	if again := f.claim(first.Entry.ID); !again.Lost || again.Attempt != 2 {
		f.Errorf("got %+v, want the second attempt after a loss", again)
	}
}

func testReady(f *fixture) {
	ready := func() bool {
		select {
		case <-f.s.Ready():
			return true
		default:
			return false
		}
	}
	ready()
	first := f.queue("lane")
	if !ready() {
		f.Error("no signal for a new entry")
	}
	f.queue("lane")
	ready()
	c := f.claim(first.Entry.ID)
	f.finish(c.Change.Entry, 0)
	if !ready() {
		f.Error("no signal for a lane that became free")
	}
	f.requeue(f.find(first.Entry.ID).Entry, 0, deploy.Place{})
	if !ready() {
		f.Error("no signal for an entry that was requeued")
	}
}
