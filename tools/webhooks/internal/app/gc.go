package app

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// roomyHeap is how large the heap may become before it is collected, if it is small
// otherwise.
const roomyHeap = 192 << 20

// tuneGC lets the heap grow more between collections as long as it is small, unless
// the environment sets GOGC or GOMEMLIMIT. With Go's default a heap of a few MiB is
// collected many times a second while deliveries come in, which is a fifth of all
// that accepting them costs.
func tuneGC() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	afterGC(func() { debug.SetGCPercent(gcPercent(liveHeap())) })
}

// gcPercent returns by how much a heap with live bytes may grow: to roomyHeap, but
// at most to five times and at least to twice its size.
func gcPercent(live uint64) int {
	const least, most = 100, 400
	if live*(100+most)/100 <= roomyHeap {
		return most
	}
	if live*(100+least)/100 >= roomyHeap {
		return least
	}
	return int(roomyHeap*100/live) - 100 //nolint:gosec // less than most
}

// liveHeap returns the bytes that the last collection found in use.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// afterGC calls f now and after each collection.
func afterGC(f func()) {
	f()
	// An object that nothing refers to: its cleanup runs after the next collection.
	type canary struct{ self *canary }
	runtime.AddCleanup(&canary{}, func(struct{}) { afterGC(f) }, struct{}{})
}
