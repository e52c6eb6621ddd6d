package httpapi

import (
	"context"
	"sync"
	"time"
)

// memoryBudget bounds the memory of the bodies that are there at a time.
//
// Small bodies don't queue behind large ones: whatever fits is granted at once.
type memoryBudget struct {
	total int64

	mu   sync.Mutex
	used int64
	free chan struct{} // closed when memory is released; nil if there are no waiters
}

// acquire reserves n bytes as soon as they are free, at most all there are. It
// returns how many it has reserved, 0 if patience or ctx ends before that.
func (b *memoryBudget) acquire(ctx context.Context, n int64, patience time.Duration) int64 {
	n = min(n, b.total)
	var over <-chan time.Time // set once it waits
	for {
		b.mu.Lock()
		if b.used+n <= b.total {
			b.used += n
			b.mu.Unlock()
			return n
		}
		if b.free == nil {
			b.free = make(chan struct{})
		}
		free := b.free
		b.mu.Unlock()
		if over == nil {
			over = time.After(patience)
		}
		select {
		case <-free:
		case <-over:
			return 0
		case <-ctx.Done():
			return 0
		}
	}
}

// release releases memory that acquire returned.
func (b *memoryBudget) release(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	if n > 0 && b.free != nil {
		close(b.free)
		b.free = nil
	}
}
