package coretest

import (
	"time"

	"github.com/nodejitsu/webhooks/core/deploy"
)

// backlog requires that the Store has that backlog.
func (f *fixture) backlog(ready, delayed, claimed int, oldest time.Time) {
	f.Helper()
	got, err := f.s.Backlog(f.Context())
	f.must(err)
	if got.Ready != ready || got.Delayed != delayed || got.Claimed != claimed || !got.Oldest.Equal(oldest) {
		f.Fatalf("got backlog %+v, want %d ready, %d delayed, %d claimed, oldest %s", got, ready, delayed, claimed, oldest)
	}
}

// The backlog counts each entry once, whether it is in a lane or not, and knows
// since when the oldest is ready.
func testBacklog(f *fixture) {
	f.backlog(0, 0, 0, time.Time{})
	f.accept(f.entry("u"), nil) // not queued
	f.backlog(0, 0, 0, time.Time{})

	begin := f.clock.Now()
	first := f.queue("lane")
	f.backlog(1, 0, 0, begin)
	f.clock.move(time.Second)
	second := f.clock.Now()
	f.queue("lane")
	f.accept(f.entry("u"), &deploy.Place{}) // in no lane
	f.queue("other")
	at := f.clock.Now().Add(time.Minute)
	f.accept(f.entry("u"), &deploy.Place{At: at})
	f.accept(f.entry("u"), &deploy.Place{Lane: "late", At: at.Add(time.Hour)})
	f.backlog(4, 2, 0, begin)

	claim := f.claim(first.Entry.ID)
	f.backlog(3, 2, 1, second)
	f.hold(claim.Change.Entry, claim.Attempt, f.clock.Now().Add(time.Hour))
	f.backlog(3, 3, 0, second)

	f.clock.move(2 * time.Minute) // one of the delayed ones is ready
	f.backlog(4, 2, 0, second)
	for range 4 {
		c, found, _, err := f.s.Claim(f.Context(), time.Minute)
		f.must(err)
		if !found {
			f.Fatal("found nothing to claim")
		}
		f.finish(c.Change.Entry, c.Attempt)
	}
	f.backlog(0, 2, 0, time.Time{})

	f.clock.move(2 * time.Hour)
	f.backlog(2, 0, 0, begin.Add(time.Hour+time.Second)) // when the hold of the first one ended
	c, found, _, err := f.s.Claim(f.Context(), time.Minute)
	f.must(err)
	if !found {
		f.Fatal("found nothing to claim")
	}
	f.backlog(1, 0, 1, at.Add(time.Hour))
	f.clock.move(2 * time.Minute) // the claim of a process that died expires
	got, err := f.s.Backlog(f.Context())
	f.must(err)
	if got.Ready != 2 || got.Claimed != 0 {
		f.Errorf("got %+v after the claim of %s expired, want 2 ready", got, c.Change.Entry.ID)
	}
	if _, err := f.s.Backlog(f.cancelled()); err == nil {
		f.Error("got no error with a context that has ended")
	}
}
