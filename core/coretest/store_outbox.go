package coretest

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// owes wants Owed to return those ids, to somebody who tells what telling says.
func (b *bench) owes(telling []string, want ...string) {
	b.Helper()
	got, err := b.s.Owed(b.Context(), telling, time.Minute)
	slices.Sort(got)
	if err != nil || !slices.Equal(got, want) {
		b.Fatalf("got %v, %v; want %v", got, err, want)
	}
}

// What one tells nobody else does, as long as its lease lasts or is renewed.
func testOwed(b *bench) {
	b.owes(nil)
	b.must(b.s.Owe(b.Context(), "a", time.Minute))
	b.must(b.s.Owe(b.Context(), "b", time.Hour))
	b.clock.move(50 * time.Second)
	b.owes(nil)
	b.owes([]string{"a"})
	b.clock.move(50 * time.Second)
	b.owes(nil)
	b.clock.move(10 * time.Second)
	b.owes(nil, "a") // whoever told it is dead
	b.clock.move(50 * time.Second)
	b.owes(nil)
	b.clock.move(10 * time.Second)
	b.owes([]string{"a"}) // it is late, and nobody else came
	b.must(b.s.Owe(b.Context(), "a", 0))
	b.must(b.s.Owe(b.Context(), "b", 0))
	b.owes(nil, "a", "b")
}

// What was told is owed no more, also by one that believes it still tells it.
func testTold(b *bench) {
	for _, id := range []string{"a", "b", "a"} {
		b.must(b.s.Owe(b.Context(), id, 0))
	}
	for range 2 {
		b.must(b.s.Told(b.Context(), "a"))
	}
	b.owes([]string{"a", "never"}, "b")
	b.clock.move(time.Hour)
	b.owes(nil, "b")
	b.must(b.s.Owe(b.Context(), "a", 0)) // it came to another outcome
	b.owes(nil, "a")
}

func testOwedRestart(b *bench) {
	if b.h.Restart == nil {
		return
	}
	for _, id := range []string{"a", "b", "c"} {
		b.must(b.s.Owe(b.Context(), id, time.Minute))
	}
	b.must(b.s.Told(b.Context(), "c"))
	b.s = b.h.Restart(b.T, b.s)
	b.clock.move(time.Minute)
	b.owes(nil, "a", "b")
	b.owes(nil)
}

// Many who ask at once share what is owed.
func testOwedConcurrent(b *bench) {
	const owed, askers = 250, 4
	for i := range owed {
		b.must(b.s.Owe(b.Context(), fmt.Sprintf("%03d", i), 0))
	}
	var asking sync.WaitGroup
	var mu sync.Mutex
	var all []string
	for range askers {
		asking.Go(func() {
			got, err := b.s.Owed(b.Context(), nil, time.Minute)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || len(got) > 100 {
				b.Errorf("got %d, %v", len(got), err)
			}
			all = append(all, got...)
		})
	}
	asking.Wait()
	slices.Sort(all)
	if once := slices.Compact(slices.Clone(all)); len(all) != owed || len(once) != owed {
		b.Errorf("got %d, %d of them once, want %d", len(all), len(once), owed)
	}
}
