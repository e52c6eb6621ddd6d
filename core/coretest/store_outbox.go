package coretest

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// claimOutbox requires that Claim, by a caller that is working on those ids,
// returns the wanted ones.
func (f *fixture) claimOutbox(working []string, want ...string) {
	f.Helper()
	got, err := f.s.Outbox().Claim(f.Context(), working, time.Minute)
	slices.Sort(got)
	if err != nil || !slices.Equal(got, want) {
		f.Fatalf("got %v, %v; want %v", got, err, want)
	}
}

// An id is claimed by one caller, as long as its lease lasts or is extended.
func testOutboxClaim(f *fixture) {
	o := f.s.Outbox()
	f.claimOutbox(nil)
	f.must(o.Add(f.Context(), "a", time.Minute))
	f.must(o.Add(f.Context(), "b", time.Minute))
	f.clock.move(50 * time.Second)
	f.claimOutbox([]string{"a", "b"})
	f.clock.move(50 * time.Second)
	f.claimOutbox([]string{"b"})
	f.clock.move(10 * time.Second)
	f.claimOutbox(nil, "a") // its caller is dead
	f.clock.move(45 * time.Second)
	f.claimOutbox([]string{"b"})
	f.clock.move(15 * time.Second)
	f.claimOutbox([]string{"a", "b"}) // extended late, but before another caller claimed it
	f.must(o.Add(f.Context(), "a", 0))
	f.must(o.Add(f.Context(), "b", 0))
	f.claimOutbox(nil, "a", "b")
}

// An id that is done is not returned again, not even to a caller that is still
// working on it.
func testOutboxDone(f *fixture) {
	o := f.s.Outbox()
	for _, id := range []string{"a", "b", "a"} {
		f.must(o.Add(f.Context(), id, 0))
	}
	for range 2 {
		f.must(o.Done(f.Context(), "a"))
	}
	f.claimOutbox([]string{"a", "never"}, "b")
	f.clock.move(time.Hour)
	f.claimOutbox(nil, "b")
	f.must(o.Add(f.Context(), "a", 0)) // there is another outcome
	f.claimOutbox(nil, "a")
}

func testOutboxRestart(f *fixture) {
	if f.h.Restart == nil {
		return
	}
	for _, id := range []string{"a", "b", "c"} {
		f.must(f.s.Outbox().Add(f.Context(), id, time.Minute))
	}
	f.must(f.s.Outbox().Done(f.Context(), "c"))
	f.s = f.h.Restart(f.T, f.s)
	f.clock.move(time.Minute)
	f.claimOutbox(nil, "a", "b")
	f.claimOutbox(nil)
}

// Concurrent callers get different ids.
func testOutboxConcurrent(f *fixture) {
	const noted, callers = 250, 4
	for i := range noted {
		f.must(f.s.Outbox().Add(f.Context(), fmt.Sprintf("%03d", i), 0))
	}
	var claiming sync.WaitGroup
	var mu sync.Mutex
	var all []string
	for range callers {
		claiming.Go(func() {
			got, err := f.s.Outbox().Claim(f.Context(), nil, time.Minute)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || len(got) > 100 {
				f.Errorf("got %d, %v", len(got), err)
			}
			all = append(all, got...)
		})
	}
	claiming.Wait()
	slices.Sort(all)
	if once := slices.Compact(slices.Clone(all)); len(all) != noted || len(once) != noted {
		f.Errorf("got %d, %d of them once, want %d", len(all), len(once), noted)
	}
}
