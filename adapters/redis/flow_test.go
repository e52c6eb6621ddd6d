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

// manyChanges is how many changes of a user are kept where a flow is written:
// all of them.
const manyChanges = 1_000_000

// flow is what goes on while a test breaks something: deliveries that are
// accepted, each tried again until it is acknowledged, as its sender does; a
// worker that ends them; and a reader of the feed at each Store.
type flow struct {
	t *testing.T
	s *redis.Store

	mu      sync.Mutex
	sure    func() bool // tells of a delivery that was just acknowledged whether it can't be lost any more
	acked   []acknowledged
	errs    []string
	changed chan struct{} // closed when there is more of them, and made anew

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
				f.t.Errorf("a delivery was refused for what is not an outage: %v", err)
			}
			f.tell(func() { f.errs = append(f.errs, err.Error()) })
			c, repeat, err = f.s.Accept(f.t.Context(), a)
		}
		if err != nil {
			return
		}
		if repeat || c.Entry.ID != a.Entry.ID {
			f.t.Errorf("repeat %t, %s instead of %s", repeat, c.Entry.ID, a.Entry.ID)
		}
		kept := sure()
		f.tell(func() { f.acked = append(f.acked, acknowledged{c, kept}) })
	}
}

// trust has sure judge what is accepted from now on.
func (f *flow) trust(sure func() bool) { f.tell(func() { f.sure = sure }) }

func (f *flow) tell(what func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what()
	close(f.changed)
	f.changed = make(chan struct{})
}

// work claims entries and ends them, until all that it finds are.
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
			f.t.Fatalf("the flow stands still; refused were %d, the last with %q", len(errs), errs[max(len(errs)-3, 0):])
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

// feed is what a reader of the feed was told.
type feed struct {
	mu   sync.Mutex
	told []core.Change
	stop chan core.Seq // receives the last one that it has to wait for
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
					f.t.Errorf("%s came after %s", c.Seq, since)
				}
				since = c.Seq
			}
			to.mu.Lock()
			to.told = append(to.told, page...)
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

// end stops the flow, waits until all has come to its end, and compares: what
// was acknowledged for sure is there and ended once, and each reader was told
// all that is in the log, once and in order, also one that comes back now and
// says where it was. Where loss, a reader may have been told more: what was
// written to a master that was replaced before it had passed it on.
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
				f.t.Errorf("%s was acknowledged, and is lost: %v", id, err)
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
		f.compare(to.told, log, ids, loss)
	}
	f.compare(resumed.told, f.log(early), ids, false)
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

func (f *flow) compare(told, log []core.Change, ids map[string]bool, loss bool) {
	f.t.Helper()
	i, more := 0, 0
	for _, c := range told {
		if i < len(log) && c.Seq == log[i].Seq && c.Entry.ID == log[i].Entry.ID && c.Entry.Revision == log[i].Entry.Revision {
			i++
			continue
		}
		more++
		if !loss || c.Entry.Revision == 1 && ids[c.Entry.ID] {
			f.t.Errorf("told of %s, revision %d of %s, which is not in the log there", c.Seq, c.Entry.Revision, c.Entry.ID)
		}
	}
	if i < len(log) {
		f.t.Errorf("told %d of %d changes, not of %s, revision %d of %s", i, len(log), log[i].Seq, log[i].Entry.Revision, log[i].Entry.ID)
	}
	if more > 0 {
		f.t.Logf("told of %d changes that were lost", more)
	}
}
