package status_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/status"
)

func TestSince(t *testing.T) {
	t.Parallel()
	cases := []struct {
		since string
		first uint64
	}{{"now", 6}, {"0", 1}, {"2-0", 3}, {"5", 6}}
	for _, c := range cases {
		t.Run(c.since, func(t *testing.T) {
			t.Parallel()
			m := &memory{}
			m.add(1, 5)
			r := subscribe(t, running(t, m, status.Options{}), c.since)
			m.add(6, 8)
			wantSeqs(t, read(t, r, int(9-c.first)), numbers(c.first, 8))
		})
	}
	for _, bad := range []string{"", "soon", "-1", "1-x", "1.5", "99999999999999999999"} {
		if got, err := status.ParseSince(bad); err == nil {
			t.Errorf("ParseSince(%q) = %v, want an error", bad, got)
		}
	}
}

// With windows and batches of any size, each reader sees each change once and in
// order, while changes are appended and other readers are opened and closed.
func TestEachChangeOnceToEachReader(t *testing.T) {
	t.Parallel()
	const last = 300
	for _, o := range []status.Options{
		{},
		{Window: 1, Batch: 1},
		{Window: 7, Batch: 3},
		{Window: 64, WindowBytes: 1},
		{Window: 5, Batch: 50},
	} {
		m := &memory{}
		m.add(1, 100)
		s := running(t, m, o)
		var readers sync.WaitGroup
		for i := range 10 {
			since := core.Seq{Millis: uint64(i * 10)}
			r, err := s.Subscribe(t.Context(), "dscape", status.Since{After: since})
			if err != nil {
				t.Fatal(err)
			}
			readers.Go(func() {
				defer r.Close()
				wantSeqs(t, read(t, r, int(last-since.Millis)), numbers(since.Millis+1, last))
			})
		}
		for n := uint64(101); n <= last; n += 4 {
			m.add(n, n+3)
		}
		readers.Wait()
		if t.Failed() {
			t.Fatalf("with %+v", o)
		}
	}
}

func TestChangesAreReadOnceForAllReaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		s := running(t, m, status.Options{})
		readers := make([]*status.Reader, 50)
		for i := range readers {
			readers[i] = subscribe(t, s, "now")
		}
		synctest.Wait() // until the window has begun
		m.set(func() { m.reads = 0 })
		m.add(1, 10)
		for _, r := range readers {
			wantSeqs(t, read(t, r, 10), numbers(1, 10))
		}
		m.set(func() {
			if m.reads != 1 {
				t.Errorf("the log was read %d times, want once", m.reads)
			}
		})
		if got := m.watched(); got != 1 {
			t.Errorf("%d watches, want one", got)
		}
	})
}

func TestLastReaderEndsTheFollower(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		s := running(t, m, status.Options{})
		first, second := subscribe(t, s, "now"), subscribe(t, s, "now")
		synctest.Wait()
		first.Close()
		first.Close() // counts once
		synctest.Wait()
		if got := m.watched(); got != 1 {
			t.Errorf("with one reader left, %d watches, want 1", got)
		}
		second.Close()
		synctest.Wait()
		if got := m.watched(); got != 0 {
			t.Errorf("without readers, %d watches, want 0", got)
		}
		m.add(1, 1)
		wantSeqs(t, read(t, subscribe(t, s, "0"), 1), numbers(1, 1))
	})
}

func TestLostWakeUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{deaf: true}
		r := subscribe(t, running(t, m, status.Options{Look: 3 * time.Second}), "now")
		synctest.Wait()
		began := time.Now()
		m.add(1, 2)
		wantSeqs(t, read(t, r, 2), numbers(1, 2))
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("took %s, want at most the time between two polls", took)
		}
	})
}

// A new reader sees at once what is in the store, even if the follower was not
// woken for it yet.
func TestSubscribeSeesWhatIsInTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{deaf: true}
		s := running(t, m, status.Options{})
		subscribe(t, s, "now")
		synctest.Wait()
		m.add(1, 3)
		r := subscribe(t, s, "1")
		lines, err := r.Poll(t.Context())
		if err != nil || len(lines) != 2 {
			t.Errorf("first Poll returned %d changes and %v, want 2", len(lines), err)
		}
		wantSeqs(t, read(t, subscribe(t, s, "0"), 3), numbers(1, 3))
	})
}

// A change that is appended after a reader polled, and before its follower did, is
// before the window when that begins; so the reader is woken for the window.
func TestReaderIsWokenForTheWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{hold: make(chan struct{})}
		r := subscribe(t, running(t, m, status.Options{}), "now")
		wake := r.Wake()
		if lines, err := r.Poll(t.Context()); err != nil || len(lines) > 0 {
			t.Fatalf("got %d changes and %v, want none", len(lines), err)
		}
		m.add(1, 1)
		close(m.hold)
		<-wake
		wantSeqs(t, read(t, r, 1), numbers(1, 1))
	})
}

// If all changes before the window are no longer kept, a reader continues in the
// window and does not read from the store again.
func TestAllBeforeTheWindowIsDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		m.add(1, 3)
		s := running(t, m, status.Options{})
		subscribe(t, s, "now")
		synctest.Wait()
		m.set(func() { m.cut = core.Seq{Millis: 3} })
		r := subscribe(t, s, "0")
		if lines, err := r.Poll(t.Context()); err != nil || len(lines) > 0 {
			t.Fatalf("got %d changes and %v, want none", len(lines), err)
		}
		m.set(func() { m.reads = 0 })
		m.add(4, 5)
		synctest.Wait()
		wantSeqs(t, read(t, r, 2), numbers(4, 5))
		m.set(func() {
			if m.reads != 1 {
				t.Errorf("the log was read %d times, want once, by the follower", m.reads)
			}
		})
	})
}

func TestGone(t *testing.T) {
	t.Parallel()
	m := &memory{}
	m.add(1, 10)
	m.cut = core.Seq{Millis: 4}
	s := running(t, m, status.Options{})
	_, err := s.Subscribe(t.Context(), "dscape", status.Since{After: core.Seq{Millis: 3}})
	if core.CodeOf(err) != core.CodeChangesGone {
		t.Fatalf("got %v, want %s", err, core.CodeChangesGone)
	}
	cause, ok := errors.AsType[*status.GoneError](err)
	if want := (core.Seq{Millis: 5}); !ok || cause.Oldest != want {
		t.Errorf("got cause %v, want the oldest %s", cause, want)
	}
	if !errors.Is(err, core.ErrGone) || !strings.Contains(core.AsError(err).Reason, "5-0") {
		t.Errorf("got %v, want core.ErrGone and a reason that names 5-0", err)
	}
	wantSeqs(t, read(t, subscribe(t, s, "4"), 6), numbers(5, 10))
	wantSeqs(t, read(t, subscribe(t, s, "0"), 6), numbers(5, 10))
}

// If no change is kept any more, a reader can resume after the last one only, also if
// others follow the log already.
func TestGoneFromEmptyLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		m.add(1, 5)
		m.cut = core.Seq{Millis: 5}
		s := running(t, m, status.Options{})
		subscribe(t, s, "now")
		synctest.Wait() // until the window has begun
		resumed := subscribe(t, s, "5")
		for range 2 {
			_, err := s.Subscribe(t.Context(), "dscape", status.Since{After: core.Seq{Millis: 3}})
			if core.CodeOf(err) != core.CodeChangesGone {
				t.Errorf("got %v, want %s", err, core.CodeChangesGone)
			}
			m.add(6, 7)
			synctest.Wait()
		}
		wantSeqs(t, read(t, resumed, 2), numbers(6, 7))
	})
}

// A reader that begins after a seq beyond the end of the log would miss the changes
// before that seq.
func TestAheadOfTheLog(t *testing.T) {
	t.Parallel()
	m := &memory{}
	s := running(t, m, status.Options{})
	subscribe(t, s, "99") // nothing is kept, so the end of the log is unknown
	m.add(1, 10)
	m.cut = core.Seq{Millis: 4}
	_, err := s.Subscribe(t.Context(), "dscape", status.Since{After: core.Seq{Millis: 10, N: 1}})
	cause, ok := errors.AsType[*status.GoneError](err)
	if want := (core.Seq{Millis: 5}); core.CodeOf(err) != core.CodeChangesGone || !ok || cause.Oldest != want {
		t.Errorf("got %v, cause %v, want %s and the oldest %s", err, cause, core.CodeChangesGone, want)
	}
	end := subscribe(t, s, "10")
	m.add(11, 11)
	wantSeqs(t, read(t, end, 1), numbers(11, 11))
}

func TestSlowReaderIsCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		s := running(t, m, status.Options{Window: 4, MaxLag: 20, Batch: 5})
		slow, other := subscribe(t, s, "now"), subscribe(t, s, "now")
		if _, err := slow.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		m.add(1, 1)
		wantSeqs(t, read(t, slow, 1), numbers(1, 1))
		m.add(2, 20) // behind the window, but within the bound
		wantSeqs(t, read(t, slow, 19), numbers(2, 20))
		m.add(21, 60)
		synctest.Wait()
		lines, err := slow.Poll(t.Context())
		if core.CodeOf(err) != core.CodeChangesFatal {
			t.Errorf("got %d changes and %v, want %s", len(lines), err, core.CodeChangesFatal)
		}
		wantSeqs(t, read(t, subscribe(t, s, "20-0"), 40), numbers(21, 60))
		if _, err := other.Poll(t.Context()); core.CodeOf(err) == core.CodeInternal {
			t.Errorf("the other reader got %v", err)
		}
	})
}

func TestReaderIsOvertakenByRetention(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		m.add(1, 10)
		s := running(t, m, status.Options{Batch: 2})
		r := subscribe(t, s, "1")
		wantSeqs(t, read(t, r, 2), numbers(2, 3))
		m.set(func() { m.cut = core.Seq{Millis: 8} })
		if _, err := r.Poll(t.Context()); core.CodeOf(err) != core.CodeChangesFatal {
			t.Errorf("got %v, want %s", err, core.CodeChangesFatal)
		}
	})
}

func TestStoreFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		s := running(t, m, status.Options{Look: 3 * time.Second, GiveUp: 30 * time.Second})
		r := subscribe(t, s, "now")
		synctest.Wait()

		// After a short failure, nothing is lost.
		m.set(func() { m.fail = errors.New("down") })
		m.add(1, 2)
		<-time.After(20 * time.Second)
		m.set(func() { m.fail = nil })
		wantSeqs(t, read(t, r, 2), numbers(1, 2))

		// A store that fails is polled at intervals, however often it wakes the follower.
		m.set(func() { m.fail, m.reads = errors.New("down"), 0 })
		for n := uint64(3); n < 100; n++ {
			m.add(n, n)
			synctest.Wait()
		}
		m.set(func() {
			if m.reads > 2 {
				t.Errorf("a store that fails was read %d times", m.reads)
			}
			m.fail = nil
		})
		wantSeqs(t, read(t, r, 97), numbers(3, 99))

		// After GiveUp, the reader gets the error, and so do new readers.
		m.set(func() { m.fail = errors.New("down") })
		m.add(100, 100)
		began := time.Now()
		<-r.Wake()
		if _, err := r.Poll(t.Context()); core.CodeOf(err) != core.CodeStatusQueryFail {
			t.Errorf("got %v, want %s", err, core.CodeStatusQueryFail)
		}
		if took := time.Since(began); took < 27*time.Second || took > 33*time.Second {
			t.Errorf("got the error after %s, want about 30 s", took)
		}
		if _, err := s.Subscribe(t.Context(), "dscape", status.Since{Now: true}); core.CodeOf(err) != core.CodeStatusQueryFail {
			t.Errorf("Subscribe returned %v, want %s", err, core.CodeStatusQueryFail)
		}
		m.set(func() { m.fail = nil })
		wantSeqs(t, read(t, subscribe(t, s, "99"), 1), numbers(100, 100))
	})
}

func TestStopEndsReaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		s := status.New(status.Options{Feed: m})
		if _, err := s.Subscribe(t.Context(), "dscape", status.Since{Now: true}); core.CodeOf(err) != core.CodeHTTPUnavailable {
			t.Errorf("before Start: got %v, want %s", err, core.CodeHTTPUnavailable)
		}
		ctx, cancel := context.WithCancel(t.Context())
		if err := s.Start(ctx); err != nil {
			t.Fatal(err)
		}
		cancel() // the context of Start is for Start only
		r := subscribe(t, s, "now")
		synctest.Wait()
		if _, err := r.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		wake := r.Wake()
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-wake
		if _, err := r.Poll(t.Context()); core.CodeOf(err) != core.CodeHTTPUnavailable {
			t.Errorf("got %v, want %s", err, core.CodeHTTPUnavailable)
		}
		if got := m.watched(); got != 0 {
			t.Errorf("%d watches are left", got)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Errorf("a second Stop: %v", err)
		}
	})
}

// A store that does not answer must not hold the readers of the log for ever.
func TestStoreHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hanging := status.New(status.Options{Feed: hangingFeed{}, Timeout: 5 * time.Second})
		if err := hanging.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err := hanging.Subscribe(t.Context(), "dscape", status.Since{Now: true})
		if core.CodeOf(err) != core.CodeStatusQueryFail || time.Since(began) != 5*time.Second {
			t.Errorf("got %v after %s, want %s after 5 s", err, time.Since(began), core.CodeStatusQueryFail)
		}
		if err := hanging.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

type hangingFeed struct{}

func (hangingFeed) Changes(ctx context.Context, _ string, _ core.Seq, _ int) ([]core.EncodedChange, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (hangingFeed) Bounds(ctx context.Context, _ string) (oldest, newest core.Seq, err error) {
	<-ctx.Done()
	return core.Seq{}, core.Seq{}, ctx.Err()
}

func (hangingFeed) Watch(string) (<-chan struct{}, func()) { return nil, func() {} }
