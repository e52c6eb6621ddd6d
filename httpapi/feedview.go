package httpapi

import (
	"container/heap"
	"slices"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core/status"
)

// view is a number of feeds that get the same text.
type view struct {
	l       *liveFeeds
	key     viewKey
	query   feedQuery // of all its feeds, but for their times
	joined  chan struct{}
	joining int // feeds; guarded by l.mu

	mu     sync.Mutex
	reader *status.Reader // all feeds have been sent what it has read
	feeds  feedHeap
	failed bool // the reader can't go on
	text   []byte
	try    *tryWriter
}

// newView returns a view for feeds like f.
func newView(l *liveFeeds, f *liveFeed, reader *status.Reader) *view {
	return &view{l: l, key: f.key, query: f.query, joined: make(chan struct{}, 1), reader: reader, try: newTryWriter()}
}

// signal makes run look at the feeds again.
func (v *view) signal() {
	select {
	case v.joined <- struct{}{}:
	default:
	}
}

// join adds a feed, if it has been sent what the others have.
func (v *view) join(f *liveFeed) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for !v.failed && v.step() {
	}
	if v.failed || !v.reader.Level(f.reader) {
		return false
	}
	f.view.Store(v)
	if f.ctx.Err() != nil { // watch may have looked before that
		f.view.Store(nil)
		return false
	}
	f.dueAt = f.due()
	heap.Push(&v.feeds, f)
	return true
}

// leave removes a feed; false says that it is not here.
func (v *view) leave(f *liveFeed) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if f.view.Load() != v {
		return false
	}
	v.remove(f)
	return true
}

func (v *view) remove(f *liveFeed) {
	heap.Remove(&v.feeds, f.index)
	f.reader.MoveTo(v.reader)
	f.view.Store(nil)
}

// detach starts a goroutine for a feed, which first writes rest.
func (v *view) detach(f *liveFeed, rest []byte) {
	v.remove(f)
	rest = slices.Clone(rest)
	go v.l.run(f, rest)
}

// run writes changes and heartbeats to the feeds until there are none.
func (v *view) run() {
	defer v.reader.Close()
	defer func() {
		if caught := recover(); caught != nil {
			v.l.panicked(caught)
			v.abort()
		}
	}()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wake := v.reader.Wake() // before Poll, so that no change is missed
		more, next := v.round()
		if more {
			continue
		}
		if next.IsZero() && v.l.drop(v) {
			return
		}
		if next.IsZero() {
			next = time.Now().Add(time.Hour) // a feed is just joining
		}
		timer.Reset(time.Until(next))
		select {
		case <-wake:
		case <-timer.C:
		case <-v.joined:
		case <-v.l.a.ending.Done():
			v.detachAll()
		}
	}
}

// round writes the next changes, and the heartbeats that are due. next is when
// some will be; zero if there are no feeds.
func (v *view) round() (more bool, next time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	more = !v.failed && v.step()
	for now := time.Now(); len(v.feeds) > 0; {
		f := v.feeds[0]
		if f.dueAt.After(now) {
			return more, f.dueAt
		}
		if due := f.due(); due.After(now) { // something was sent meanwhile
			f.dueAt = due
			heap.Fix(&v.feeds, 0)
			continue
		}
		v.beat(f, now)
	}
	return more, time.Time{}
}

// beat sends a feed its heartbeat.
func (v *view) beat(f *liveFeed, now time.Time) {
	if f.silent(now) {
		v.detach(f, nil) // which ends it
		return
	}
	text := chunkOf(v.text[:0], func(b []byte) []byte { return append(b, f.form.heartbeat()...) })
	v.text = text
	n, err := v.try.try(f.raw, text)
	f.written = now
	f.dueAt = f.due()
	heap.Fix(&v.feeds, f.index)
	if err != nil || n < len(text) {
		v.detach(f, text[n:]) // an error comes again
	}
}

// step writes the next changes to all feeds; it returns whether there may be
// more. v.mu is held.
func (v *view) step() bool {
	lines, err := v.reader.Poll(v.l.a.ending) // which is about to end with all feeds
	if err != nil {
		v.fail()
		return false
	}
	if len(lines) == 0 {
		return false
	}
	v.text = chunkOf(v.text[:0], func(text []byte) []byte {
		for _, line := range lines {
			if v.query.wants(line) {
				text = v.key.form.line(text, line)
			}
		}
		return text
	})
	if len(v.text) > 0 {
		v.write(v.text)
	}
	if cap(v.text) > 2*maxViewText {
		v.text = nil // one large change must not stay for ever
	}
	return true
}

// maxViewText is about how much text of changes a view writes at a time.
const maxViewText = 256 << 10

// write writes text to all feeds. Those that don't accept all of it at once get
// a goroutine of their own.
func (v *view) write(text []byte) {
	now := time.Now()
	type slow struct {
		f *liveFeed
		n int
	}
	var slows []slow
	for _, f := range v.feeds {
		f.written, f.changed = now, now
		n, err := v.try.try(f.raw, text)
		if err != nil || n < len(text) {
			slows = append(slows, slow{f, n})
		}
	}
	for _, s := range slows {
		v.detach(s.f, text[s.n:]) // an error comes again
	}
}

// fail starts a goroutine for each feed, which gets the reader's error.
// Feeds that come get another view. v.mu is held.
func (v *view) fail() {
	v.failed = true
	for len(v.feeds) > 0 {
		v.detach(v.feeds[len(v.feeds)-1], nil)
	}
}

func (v *view) detachAll() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fail()
}

// abort ends all feeds without a last line.
func (v *view) abort() {
	v.l.mu.Lock()
	v.l.forget(v)
	v.l.mu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.failed = true
	for len(v.feeds) > 0 {
		f := v.feeds[len(v.feeds)-1]
		v.remove(f)
		f.broken = true
		go v.l.end(f, nil)
	}
}

// feedHeap orders feeds by when they are due. It implements [heap.Interface].
type feedHeap []*liveFeed

func (h feedHeap) Len() int           { return len(h) }
func (h feedHeap) Less(i, j int) bool { return h[i].dueAt.Before(h[j].dueAt) }
func (h feedHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push appends a feed.
func (h *feedHeap) Push(x any) {
	f := x.(*liveFeed) //nolint:errcheck,forcetypeassert // nothing else is pushed
	f.index = len(*h)
	*h = append(*h, f)
}

// Pop removes the last feed.
func (h *feedHeap) Pop() any {
	f := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	return f
}
