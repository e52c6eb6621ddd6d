package redis_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/redis"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest"
)

// manyChanges is more changes than a flow writes, so all of them are kept.
const manyChanges = 1_000_000

// flow is the load while a test breaks something: deliveries, each retried until it
// is acknowledged, as by its sender; a worker that finishes them; and a reader of the
// feed at each Store.
type flow struct {
	t *testing.T
	s *redis.Store

	mu      sync.Mutex
	sure    func() bool // reports whether a delivery that was just acknowledged can no longer be lost
	acked   []acknowledged
	errs    []string
	changed chan struct{} // closed and replaced after each of them

	writers, worker, readers sync.WaitGroup
	stopWriters, stopWorker  chan struct{}
	feeds                    []*feed
}

type acknowledged struct {
	change core.Change
	sure   bool
}

func always() bool { return true }

func never() bool { return false }

// startFlow starts one that writes to the first of the Stores.
func startFlow(t *testing.T, sure func() bool, stores ...*redis.Store) *flow {
	t.Helper()
	f := &flow{
		t: t, s: stores[0], sure: sure, changed: make(chan struct{}),
		stopWriters: make(chan struct{}), stopWorker: make(chan struct{}),
	}
	for range 2 {
		f.writers.Go(f.write)
	}
	f.worker.Go(f.work)
	t.Cleanup(func() { // the test's context has ended
		f.writers.Wait()
		f.worker.Wait()
		f.readers.Wait()
	})
	for _, s := range stores {
		f.feeds = append(f.feeds, f.read(s, core.Seq{}))
	}
	return f
}

// pace is one delivery of a writer, or one look for work.
const pace = 20 * time.Millisecond

func (f *flow) write() {
	next := time.NewTicker(pace)
	defer next.Stop()
	for {
		select {
		case <-next.C:
		case <-f.stopWriters:
			return
		case <-f.t.Context().Done():
			return
		}
		a := delivery(newEntry("u"))
		f.mu.Lock()
		sure := f.sure
		f.mu.Unlock()
		c, repeat, err := f.s.Accept(f.t.Context(), a)
		for err != nil && f.t.Context().Err() == nil {
			if errors.Is(err, core.ErrNotFound) || errors.Is(err, core.ErrConflict) || errors.Is(err, core.ErrGone) {
				f.t.Errorf("a delivery was refused without an outage: %v", err)
			}
			f.record(func() { f.errs = append(f.errs, err.Error()) })
			c, repeat, err = f.s.Accept(f.t.Context(), a)
		}
		if err != nil {
			return
		}
		if repeat || c.Entry.ID != a.Entry.ID {
			f.t.Errorf("repeat %t, %s instead of %s", repeat, c.Entry.ID, a.Entry.ID)
		}
		kept := sure()
		f.record(func() { f.acked = append(f.acked, acknowledged{c, kept}) })
	}
}

// trust sets sure for the deliveries from now on.
func (f *flow) trust(sure func() bool) { f.record(func() { f.sure = sure }) }

func (f *flow) record(what func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what()
	close(f.changed)
	f.changed = make(chan struct{})
}

// work claims and finishes entries until there are no more.
func (f *flow) work() {
	look := time.NewTicker(pace)
	defer look.Stop()
	for {
		c, found, _, err := f.s.Claim(f.t.Context(), 3*time.Second)
		if err == nil && found {
			e := c.Change.Entry
			e.Status = core.StatusOK
			for {
				_, err := f.s.Finish(f.t.Context(), e, 0)
				// Conflict: it took longer than the lease, or the claim was lost.
				if err == nil || errors.Is(err, core.ErrConflict) || errors.Is(err, core.ErrNotFound) || f.t.Context().Err() != nil {
					break
				}
			}
			continue
		}
		select {
		case <-look.C:
		case <-f.stopWorker:
			return
		case <-f.t.Context().Done():
			return
		}
	}
}

// wait waits until is, which is called under the lock.
func (f *flow) wait(is func() bool) {
	f.t.Helper()
	late := time.NewTimer(2 * time.Minute)
	defer late.Stop()
	for {
		f.mu.Lock()
		yes, changed, errs := is(), f.changed, f.errs
		f.mu.Unlock()
		if yes {
			return
		}
		select {
		case <-changed:
		case <-late.C:
			f.t.Fatalf("the flow has stopped; %d were refused, the last with %q", len(errs), errs[max(len(errs)-3, 0):])
		}
	}
}

// more waits until that many more deliveries are acknowledged.
func (f *flow) more(n int) {
	f.t.Helper()
	f.mu.Lock()
	want := len(f.acked) + n
	f.mu.Unlock()
	f.wait(func() bool { return len(f.acked) >= want })
}

// refused waits until a delivery is refused for a reason that holds text.
func (f *flow) refused(text string) {
	f.t.Helper()
	f.mu.Lock()
	from := len(f.errs)
	f.mu.Unlock()
	f.wait(func() bool {
		for ; from < len(f.errs); from++ {
			if strings.Contains(f.errs[from], text) {
				return true
			}
		}
		return false
	})
}

// feed is the changes that a reader of the feed has received.
type feed struct {
	mu       sync.Mutex
	received []core.Change
	stop     chan core.Seq // receives the last one that it has to wait for
}

// read follows the user's changes, those after since, in a goroutine.
func (f *flow) read(s *redis.Store, since core.Seq) *feed {
	to := &feed{stop: make(chan core.Seq, 1)}
	f.readers.Go(func() {
		wake, stop := s.Watch("u")
		defer stop()
		var last core.Seq
		for last.IsZero() || since.Compare(last) < 0 {
			page, err := coretest.Changes(f.t.Context(), s, "u", since, 100)
			switch {
			case f.t.Context().Err() != nil:
				return
			case errors.Is(err, core.ErrGone):
				f.t.Errorf("after %s: %v", since, err)
				return
			case err != nil:
				continue // for a time that the call itself takes
			}
			for _, c := range page {
				if c.Seq.Compare(since) <= 0 {
					f.t.Errorf("%s was received after %s", c.Seq, since)
				}
				since = c.Seq
			}
			to.mu.Lock()
			to.received = append(to.received, page...)
			to.mu.Unlock()
			if len(page) > 0 {
				continue
			}
			select {
			case <-wake:
			case last = <-to.stop:
			case <-f.t.Context().Done():
				return
			}
		}
	})
	return to
}

// end stops the flow, waits until it has ended, and compares: every delivery that can
// not be lost is there and was finished once, and each reader received all changes in
// the log, once and in order, also a reader that resumes now. If loss is set, a reader
// may have received more: changes that a master lost when it was replaced.
func (f *flow) end(loss bool) {
	f.t.Helper()
	close(f.stopWriters)
	f.writers.Wait()
	ids := map[string]bool{}
	var early core.Seq
	for _, a := range f.acked {
		if a.sure {
			ids[a.change.Entry.ID] = true
		}
		if a.sure && early.IsZero() {
			early = a.change.Seq
		}
	}
	f.t.Logf("%d acknowledged, %d of them for sure; %d times refused", len(f.acked), len(ids), len(f.errs))
	look := time.NewTicker(pace)
	defer look.Stop()
	for id := range ids {
		for {
			c, err := f.s.Find(f.t.Context(), id)
			if errors.Is(err, core.ErrNotFound) || f.t.Context().Err() != nil {
				f.t.Errorf("acknowledged %s is lost: %v", id, err)
				break
			}
			if err == nil && c.Entry.Status == core.StatusOK {
				break
			}
			<-look.C
		}
	}
	close(f.stopWorker)
	f.worker.Wait()

	log := f.log(core.Seq{})
	outcomes := map[string]int{}
	for _, c := range log {
		if c.Entry.Status == core.StatusOK {
			outcomes[c.Entry.ID]++
		}
	}
	for id := range ids {
		if outcomes[id] != 1 {
			f.t.Errorf("%s has %d outcomes", id, outcomes[id])
		}
	}
	last := log[len(log)-1].Seq
	resumed := f.read(f.s, early)
	for _, to := range append(f.feeds, resumed) {
		to.stop <- last
	}
	f.readers.Wait()
	for _, to := range f.feeds {
		f.compare(to.received, log, ids, loss)
	}
	f.compare(resumed.received, f.log(early), ids, false)
}

// log returns all changes after since.
func (f *flow) log(since core.Seq) (all []core.Change) {
	f.t.Helper()
	for {
		page, err := coretest.Changes(f.t.Context(), f.s, "u", since, 200)
		switch {
		case f.t.Context().Err() != nil || errors.Is(err, core.ErrGone):
			f.t.Fatal(err)
		case err != nil: // for a time that the call itself takes
		case len(page) == 0:
			return all
		default:
			all, since = append(all, page...), page[len(page)-1].Seq
		}
	}
}

func (f *flow) compare(received, log []core.Change, ids map[string]bool, loss bool) {
	f.t.Helper()
	i, more := 0, 0
	for _, c := range received {
		if i < len(log) && c.Seq == log[i].Seq && c.Entry.ID == log[i].Entry.ID && c.Entry.Revision == log[i].Entry.Revision {
			i++
			continue
		}
		more++
		if !loss || c.Entry.Revision == 1 && ids[c.Entry.ID] {
			f.t.Errorf("received %s, revision %d of %s, which is not at that place in the log", c.Seq, c.Entry.Revision, c.Entry.ID)
		}
	}
	if i < len(log) {
		f.t.Errorf("received %d of %d changes, not %s, revision %d of %s", i, len(log), log[i].Seq, log[i].Entry.Revision, log[i].Entry.ID)
	}
	if more > 0 {
		f.t.Logf("received %d changes that were lost", more)
	}
}
