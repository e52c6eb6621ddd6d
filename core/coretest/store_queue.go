package coretest

import (
	"errors"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

func testClaimOrder(b *bench) {
	now := b.clock.Now()
	late := b.accept(b.entry("u"), &deploy.Place{Lane: "1", At: now.Add(-time.Second)})
	early := b.accept(b.entry("u"), &deploy.Place{Lane: "2", At: now.Add(-time.Minute)})
	first, second := b.queue("3"), b.queue("4")
	for _, want := range []core.Change{first, second, early, late} {
		c := b.claim(want.Entry.ID)
		if c.Attempt != 1 || c.Lost || c.Change.Entry.Attempts != 1 || c.Change.Entry.Revision != 2 {
			b.Errorf("got %+v", c)
		}
	}
	b.claim("")
}

func testClaimLanes(b *bench) {
	first, second := b.queue("lane"), b.queue("lane")
	free, other := b.accept(b.entry("u"), &deploy.Place{}), b.accept(b.entry("u"), &deploy.Place{})
	held := b.claim(first.Entry.ID)
	b.claim(free.Entry.ID)
	b.claim(other.Entry.ID) // two without a lane are not in each other's way
	b.claim("")             // second waits for its lane
	b.save(held.Change.Entry, deploy.Move{Stay: true})
	b.claim("")
	b.save(b.find(first.Entry.ID).Entry, deploy.Move{})
	b.claim(second.Entry.ID)
}

func testClaimLater(b *bench) {
	at := b.clock.Now().Add(time.Hour)
	c := b.accept(b.entry("u"), &deploy.Place{Lane: "lane", At: at})
	if _, found, next, err := b.s.Claim(b.Context(), time.Minute); found || err != nil || !next.Equal(at) {
		b.Errorf("got found %t, next %s, %v; want next %s", found, next, err, at)
	}
	b.clock.move(time.Hour)
	b.claim(c.Entry.ID)
}

// However many claim at once, no entry and no lane is claimed twice.
func testClaimConcurrent(b *bench) {
	for i := range 24 {
		b.queue(string(rune('a' + i%8)))
	}
	var group sync.WaitGroup
	claims := make(chan string, 24)
	for range 12 {
		group.Go(func() {
			for {
				c, found, _, err := b.s.Claim(b.Context(), time.Minute)
				if err != nil {
					b.Error(err)
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
			b.Errorf("%s was claimed twice", id)
		}
		seen[id] = true
	}
	if len(seen) != 8 {
		b.Errorf("%d of 8 lanes were claimed", len(seen))
	}
}

func testLeaseRunsOut(b *bench) {
	id := b.queue("lane").Entry.ID
	dead := b.claim(id)
	b.clock.move(59 * time.Second)
	b.claim("")
	b.clock.move(2 * time.Second)
	next := b.claim(id)
	if !next.Lost || next.Attempt != 2 {
		b.Errorf("got %+v, want the second attempt after a loss", next)
	}
	if _, err := b.s.Save(b.Context(), dead.Change.Entry, deploy.Move{}); !errors.Is(err, core.ErrConflict) {
		b.Errorf("the dead one saves: %v", err)
	}
	if _, err := b.s.Renew(b.Context(), dead, time.Minute); !errors.Is(err, core.ErrConflict) {
		b.Errorf("the dead one renews: %v", err)
	}
	if _, _, err := b.s.Join(b.Context(), dead, "app"); !errors.Is(err, core.ErrConflict) {
		b.Errorf("the dead one joins: %v", err)
	}
	b.refuse(next.Change.Entry, dead) // whatever it knows of the entry by now
	b.save(next.Change.Entry, deploy.Move{Claim: next.Attempt})
}

// refuse wants that e can't be saved by a claim that does not hold, in any way.
func (b *bench) refuse(e core.Entry, lost deploy.Claim) {
	b.Helper()
	for _, m := range []deploy.Move{{}, {Stay: true}, {Place: &deploy.Place{}}} {
		m.Claim = lost.Attempt
		if _, err := b.s.Save(b.Context(), e, m); !errors.Is(err, core.ErrConflict) {
			b.Errorf("a claim that was lost saves with %+v: %v", m, err)
		}
	}
}

func testRenew(b *bench) {
	id := b.queue("lane").Entry.ID
	c := b.claim(id)
	for range 3 {
		b.clock.move(50 * time.Second)
		standing, err := b.s.Renew(b.Context(), c, time.Minute)
		if err != nil || standing.Newest != id {
			b.Fatalf("got %+v, %v", standing, err)
		}
	}
	b.claim("")
	b.save(c.Change.Entry, deploy.Move{})
	if _, err := b.s.Renew(b.Context(), c, time.Minute); !errors.Is(err, core.ErrConflict) {
		b.Errorf("a claim that was given up is renewed: %v", err)
	}
	b.refuse(b.find(id).Entry, c)
}

// A claim that ran out can be renewed as long as nobody has taken its lane.
func testLaneTaken(b *bench) {
	first := b.accept(b.entry("u"), &deploy.Place{Lane: "lane", At: b.clock.Now()})
	slow := b.claim(first.Entry.ID)
	b.clock.move(2 * time.Minute)
	if _, err := b.s.Renew(b.Context(), slow, time.Minute); err != nil {
		b.Fatalf("nobody took it: %v", err)
	}
	e := b.save(slow.Change.Entry, deploy.Move{Stay: true, Claim: slow.Attempt}).Entry
	b.clock.move(2 * time.Minute)
	e = b.save(e, deploy.Move{Stay: true, Claim: slow.Attempt}).Entry // nobody took it
	second := b.accept(b.entry("u"), &deploy.Place{Lane: "lane"})     // ready before the first was
	b.claim(second.Entry.ID)
	if _, err := b.s.Renew(b.Context(), slow, time.Minute); !errors.Is(err, core.ErrConflict) {
		b.Errorf("two hold the lane: %v", err)
	}
	if _, _, err := b.s.Join(b.Context(), slow, "app"); !errors.Is(err, core.ErrConflict) {
		b.Errorf("it joins an app: %v", err)
	}
	b.refuse(e, slow)
	b.claim("") // the first waits for its lane
}

func testGivenUp(b *bench) {
	id := b.queue("lane").Entry.ID
	c := b.claim(id)
	b.save(c.Change.Entry, deploy.Move{Place: &deploy.Place{At: b.clock.Now().Add(time.Minute)}})
	b.claim("")
	b.clock.move(time.Minute)
	if again := b.claim(id); again.Lost || again.Attempt != 2 {
		b.Errorf("got %+v; it was given up, not lost", again)
	}
}

func testNewest(b *bench) {
	first := b.queue("lane")
	c := b.claim(first.Entry.ID)
	if c.Standing.Newest != first.Entry.ID {
		b.Errorf("got %+v", c.Standing)
	}
	second := b.queue("lane")
	standing, err := b.s.Renew(b.Context(), c, time.Minute)
	if err != nil || standing.Newest != second.Entry.ID {
		b.Errorf("got %+v, %v; want %s", standing, err, second.Entry.ID)
	}
	// Coming back does not make it the newest again.
	b.save(c.Change.Entry, deploy.Move{Place: &deploy.Place{Lane: "lane"}})
	if again := b.claim(first.Entry.ID); again.Standing.Newest != second.Entry.ID {
		b.Errorf("got %+v", again.Standing)
	}
}

func testNewestByPush(b *bench) {
	queue := func(pushed int64) core.Change {
		return b.accept(b.entry("u"), &deploy.Place{Lane: "lane", Enter: true, PushedAt: time.Unix(pushed, 0).UTC()})
	}
	newer, older := queue(2000), queue(1000)
	c := b.claim(newer.Entry.ID)
	if c.Standing.Newest != newer.Entry.ID {
		b.Errorf("an older push is the newest: %+v, not %s", c.Standing, older.Entry.ID)
	}
	same := queue(2000)
	if standing, err := b.s.Renew(b.Context(), c, time.Minute); err != nil || standing.Newest != same.Entry.ID {
		b.Errorf("got %+v, %v; want the later one of two pushed in the same second", standing, err)
	}
	unknown := b.queue("lane")
	if standing, err := b.s.Renew(b.Context(), c, time.Minute); err != nil || standing.Newest != unknown.Entry.ID {
		b.Errorf("got %+v, %v; want the one accepted last", standing, err)
	}
	late := queue(1500)
	if standing, err := b.s.Renew(b.Context(), c, time.Minute); err != nil || standing.Newest != unknown.Entry.ID {
		b.Errorf("got %+v, %v; %s was pushed before one that is known", standing, err, late.Entry.ID)
	}
}

// One that sleeps in the queue wakes when it is no longer the newest.
func testEnterWakes(b *bench) {
	asleep := b.accept(b.entry("u"), &deploy.Place{Lane: "lane", Enter: true, At: b.clock.Now().Add(time.Hour)})
	b.claim("")
	newer := b.queue("lane")
	c := b.claim(asleep.Entry.ID)
	if c.Standing.Newest != newer.Entry.ID {
		b.Errorf("got %+v", c.Standing)
	}
}

func testJoin(b *bench) {
	first, second := b.queue("1"), b.queue("2")
	one, two := b.claim(first.Entry.ID), b.claim(second.Entry.ID)
	standing, busy, err := b.s.Join(b.Context(), two, "app")
	if err != nil || busy || standing.Newest != second.Entry.ID {
		b.Fatalf("got %+v, %t, %v", standing, busy, err)
	}
	if _, busy, err := b.s.Join(b.Context(), one, "app"); err != nil || !busy {
		b.Errorf("two hold the app: %t, %v", busy, err)
	}
	if _, busy, err := b.s.Join(b.Context(), one, "other"); err != nil || busy {
		b.Errorf("another app: %t, %v", busy, err)
	}
	b.save(two.Change.Entry, deploy.Move{})
	standing, busy, err = b.s.Join(b.Context(), one, "app")
	if err != nil || busy || standing.Newest != second.Entry.ID {
		b.Errorf("got %+v, %t, %v; the one accepted later is the newest", standing, busy, err)
	}
	b.clock.move(2 * time.Minute) // one's lease runs out, and the app is free
	third := b.queue("3")
	if again := b.claim(first.Entry.ID); again.Standing.Newest != first.Entry.ID {
		b.Errorf("got %+v", again.Standing)
	}
	if _, busy, err := b.s.Join(b.Context(), b.claim(third.Entry.ID), "app"); err != nil || busy {
		b.Errorf("the app of a dead claim is held: %t, %v", busy, err)
	}
}

// A claim that ran out is over when another has joined its app, also where
// nobody has taken it up.
func testAppTaken(b *bench) {
	first, second := b.queue("1"), b.queue("2")
	slow, quick := b.claim(first.Entry.ID), b.claim(second.Entry.ID)
	if _, busy, err := b.s.Join(b.Context(), slow, "app"); err != nil || busy {
		b.Fatalf("busy %t, %v", busy, err)
	}
	b.clock.move(50 * time.Second)
	if _, err := b.s.Renew(b.Context(), quick, time.Minute); err != nil {
		b.Fatal(err)
	}
	b.clock.move(20 * time.Second)
	if _, busy, err := b.s.Join(b.Context(), quick, "app"); err != nil || busy {
		b.Fatalf("the app of a claim that ran out: busy %t, %v", busy, err)
	}
	if _, err := b.s.Renew(b.Context(), slow, time.Minute); !errors.Is(err, core.ErrConflict) {
		b.Errorf("two hold the app: %v", err)
	}
	for _, app := range []string{"app", "other"} {
		if _, _, err := b.s.Join(b.Context(), slow, app); !errors.Is(err, core.ErrConflict) {
			b.Errorf("it joins %s: %v", app, err)
		}
	}
	b.refuse(slow.Change.Entry, slow)
	if again := b.claim(first.Entry.ID); !again.Lost || again.Attempt != 2 {
		b.Errorf("got %+v, want the second attempt after a loss", again)
	}
}

func testReady(b *bench) {
	drain := func() bool {
		select {
		case <-b.s.Ready():
			return true
		default:
			return false
		}
	}
	drain()
	first := b.queue("lane")
	if !drain() {
		b.Error("nothing was said of a new entry")
	}
	b.queue("lane")
	drain()
	c := b.claim(first.Entry.ID)
	b.save(c.Change.Entry, deploy.Move{})
	if !drain() {
		b.Error("nothing was said of a lane that became free")
	}
	b.save(b.find(first.Entry.ID).Entry, deploy.Move{Place: &deploy.Place{}})
	if !drain() {
		b.Error("nothing was said of an entry that came back")
	}
}
