package coretest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// Each accepted entry has a higher order, whatever the clock says.
func testOrder(f *fixture) {
	var last int64
	for i := range 4 {
		f.clock.move(-time.Hour)
		e := f.accept(f.entry("u"), nil).Entry
		if e.Order <= 0 || i > 0 && e.Order != last+1 {
			f.Errorf("got order %d after %d", e.Order, last)
		}
		last = e.Order
		if got := f.finish(e, 0).Entry.Order; got != last || f.find(e.ID).Entry.Order != last {
			f.Errorf("order %d became %d", last, got)
		}
	}
	if f.h.Restart == nil {
		return
	}
	f.s = f.h.Restart(f.T, f.s)
	f.clock.move(-24 * time.Hour)
	if e := f.accept(f.entry("u"), nil).Entry; e.Order <= last {
		f.Errorf("got order %d after %d and a restart", e.Order, last)
	}
}

// Lists are in the order of acceptance, whatever the clock says.
func testListsAfterClockSetBack(f *fixture) {
	var want []string
	commit := fmt.Sprintf("%040d", 7)
	for range 3 {
		e := f.entry("u")
		e.App, e.Commit.ID = "app", commit
		f.accept(e, &deploy.Place{})
		want = append([]string{e.ID}, want...)
		f.clock.move(-time.Hour)
	}
	page, _, err := f.s.Entries(f.Context(), "u", "app", 0, 10)
	f.must(err)
	found, err := f.s.ByCommit(f.Context(), "u", core.Repository{Forge: "forge.example", Owner: "owner", Name: "repo"}.Key(), []string{commit})
	f.must(err)
	for i, id := range want {
		if page[i].ID != id || found[i].Entry.ID != id {
			f.Errorf("entry %d is %s in the log and %s by commit, want %s", i, page[i].ID, found[i].Entry.ID, id)
		}
	}
}

// An entry that was queued when the clock was ahead does not wait for that time.
func testDelaysAfterClockSetBack(f *fixture) {
	f.clock.move(24 * time.Hour)
	retry, held, accepted := f.queue("1"), f.queue("2"), f.accept(f.entry("u"), &deploy.Place{At: f.clock.Now().Add(time.Minute)})
	f.requeue(f.claim(retry.Entry.ID).Change.Entry, 1, deploy.Place{At: f.clock.Now().Add(10 * time.Minute)})
	f.hold(f.claim(held.Entry.ID).Change.Entry, 1, f.clock.Now().Add(30*time.Minute))
	f.claim("")
	f.clock.move(-24 * time.Hour)
	f.restart()
	want := map[string]bool{retry.Entry.ID: true, held.Entry.ID: true, accepted.Entry.ID: true}
	for range len(want) {
		c, found, _, err := f.s.Claim(f.Context(), time.Minute)
		if err != nil || !found || !want[c.Change.Entry.ID] {
			f.Fatalf("got %s, %t, %v; want one of %v", c.Change.Entry.ID, found, err, want)
		}
		delete(want, c.Change.Entry.ID)
		// With the right clock it waits as long as requested.
		f.requeue(c.Change.Entry, c.Attempt, deploy.Place{At: f.clock.Now().Add(time.Hour)})
	}
	f.claim("")
}

// A lease that was acquired when the clock was ahead does not last longer.
func testLeasesAfterClockSetBack(f *fixture) {
	f.clock.move(24 * time.Hour)
	id := f.queue("lane").Entry.ID
	f.claim(id)
	f.must(f.s.Outbox().Add(f.Context(), "a", time.Minute))
	f.clock.move(-24 * time.Hour)
	_, _, _, err := f.s.Claim(f.Context(), time.Minute)
	f.must(err)
	_, err = f.s.Outbox().Claim(f.Context(), nil, time.Minute)
	f.must(err)
	f.clock.move(time.Minute)
	if c := f.claim(id); !c.Lost {
		f.Errorf("got %+v", c)
	}
	f.claimOutbox(nil, "a")
}

// A sender's time in the future is treated as now.
func testPushedInTheFuture(f *fixture) {
	push := func(after time.Duration) core.Change {
		return f.accept(f.entry("u"), &deploy.Place{Lane: "lane", PushedAt: f.clock.Now().Add(after)})
	}
	first := push(24 * time.Hour)
	c := f.claim(first.Entry.ID)
	push(-time.Second)
	f.renew(c, first.Entry.ID)
	next := push(0)
	f.renew(c, next.Entry.ID)
}

// A stored time of a sender that is in the future, because the clock was ahead when
// it was stored, is treated as unknown.
func testPushedBeforeClockSetBack(f *fixture) {
	f.clock.move(24 * time.Hour)
	ahead := f.accept(f.entry("u"), &deploy.Place{Lane: "lane", PushedAt: f.clock.Now()})
	f.clock.move(-24 * time.Hour)
	c := f.claim(ahead.Entry.ID)
	next := f.accept(f.entry("u"), &deploy.Place{Lane: "lane", PushedAt: f.clock.Now().Add(-time.Hour)})
	f.renew(c, next.Entry.ID)
}

// Each app ends with its newest push, however the clock is set between pushes,
// claims, retries, crashes of workers and restarts.
func testClockSet(f *fixture) {
	for seed := range uint64(20) {
		f.clockSet(rand.New(rand.NewPCG(seed, 1)), fmt.Sprintf("%d", seed)) //nolint:gosec // to be repeated, not secret
	}
}

func (f *fixture) clockSet(random *rand.Rand, seed string) {
	f.Helper()
	const apps, lanes, steps = 2, 2, 40
	newest, runs := map[string]int64{}, map[string]int64{} // Order, by app
	left := 0                                              // entries without an outcome
	push := func() {
		app := fmt.Sprintf("%s-%d", seed, random.IntN(apps))
		e := f.entry("u")
		e.App = app
		p := &deploy.Place{Lane: fmt.Sprintf("%s@%d", app, random.IntN(lanes))}
		switch random.IntN(3) {
		case 0: // unknown
		case 1:
			p.PushedAt = f.clock.Now().Truncate(time.Second)
		case 2:
			p.PushedAt = f.clock.Now().Add(time.Duration(random.IntN(1000)) * time.Hour)
		}
		newest[app] = f.accept(e, p).Entry.Order
		left++
	}
	work := func(trouble int) (worked bool) {
		c, found, _, err := f.s.Claim(f.Context(), time.Minute)
		f.must(err)
		if !found {
			return false
		}
		e := c.Change.Entry
		current := c.Newest == e.ID
		if current {
			id, busy, err := f.s.ClaimApp(f.Context(), c, e.App)
			f.must(err)
			if busy {
				f.requeue(e, c.Attempt, deploy.Place{At: f.clock.Now().Add(time.Second)})
				return true
			}
			current = id == e.ID
		}
		switch trouble {
		case 1: // it is retried later
			f.requeue(e, c.Attempt, deploy.Place{At: f.clock.Now().Add(10 * time.Minute)})
			return true
		case 2:
			f.hold(e, c.Attempt, f.clock.Now().Add(30*time.Minute))
			return true
		case 3: // its worker dies
			return true
		}
		if current {
			if e.Order < runs[e.App] {
				f.Errorf("seed %s: %s runs order %d after %d", seed, e.App, e.Order, runs[e.App])
			}
			runs[e.App] = e.Order
		}
		f.finish(e, c.Attempt)
		left--
		return true
	}
	for range steps {
		switch random.IntN(8) {
		case 0, 1:
			push()
		case 2:
			f.clock.move(time.Duration(random.IntN(96)-48) * time.Hour)
		case 3:
			f.clock.move(time.Duration(random.IntN(120)-60) * time.Minute)
		case 4:
			f.restart()
		default:
			work(random.IntN(5))
		}
	}
	push()
	f.clock.move(-time.Duration(random.IntN(48)) * time.Hour)
	for range 1000 {
		if left == 0 {
			break
		}
		if !work(0) {
			f.clock.move(time.Minute) // no delay by a right clock is longer than half an hour
		}
	}
	if left > 0 {
		f.Fatalf("seed %s: %d entries are still waiting", seed, left)
	}
	for app, order := range newest {
		if runs[app] != order {
			f.Errorf("seed %s: %s runs order %d, want %d", seed, app, runs[app], order)
		}
	}
}

// restart restarts the store if it is persistent.
func (f *fixture) restart() {
	f.Helper()
	if f.h.Restart != nil {
		f.s = f.h.Restart(f.T, f.s)
	}
}
