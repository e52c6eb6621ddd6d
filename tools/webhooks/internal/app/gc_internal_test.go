package app

import (
	"runtime"
	"testing"
)

func TestGCPercent(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{
		0: 400, 4 << 20: 400, roomyHeap / 5: 400, roomyHeap / 4: 300, roomyHeap / 2: 100, roomyHeap: 100, 1 << 40: 100,
	} {
		if got := gcPercent(live); got != want {
			t.Errorf("%d MiB may grow by %d %%, want %d %%", live>>20, got, want)
		}
	}
}

func TestAfterGC(t *testing.T) {
	t.Parallel()
	called := make(chan struct{}, 100)
	afterGC(func() {
		select {
		case called <- struct{}{}:
		default:
		}
	})
	for range 3 {
		<-called
		runtime.GC()
	}
}
