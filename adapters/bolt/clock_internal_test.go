package bolt

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// If the machine's clock is set, claims and waiting entries last neither shorter nor
// longer.
func TestClockIsSet(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]time.Duration{"forward": time.Hour, "back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Unix(1e9, 0).UTC()
			var elapsed, set atomic.Int64
			passed := func() time.Time { return begin.Add(time.Duration(elapsed.Load())) }
			wall := func() time.Time { return passed().Add(time.Duration(set.Load())) }
			s := New(Options{Path: filepath.Join(t.TempDir(), "store.db"), Now: wall})
			s.steady = passed
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			})
			for id, at := range map[string]time.Time{"a": {}, "b": wall().Add(time.Minute)} {
				_, _, err := s.Accept(t.Context(), deploy.Acceptance{
					Entry: core.Entry{ID: id, User: "u", Status: core.StatusPending, Steps: []core.Step{}},
					Place: &deploy.Place{Lane: id, At: at},
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			held, found, _, err := s.Claim(t.Context(), 2*time.Minute)
			if err != nil || !found || held.Change.Entry.ID != "a" {
				t.Fatalf("claimed %q, %v", held.Change.Entry.ID, err)
			}
			set.Store(int64(jump))
			elapsed.Add(int64(50 * time.Second))
			other, found, next, err := s.Claim(t.Context(), time.Minute)
			if err != nil || found {
				t.Fatalf("claimed %q too early, %v", other.Change.Entry.ID, err)
			}
			if left := next.Sub(wall()); left != 10*time.Second {
				t.Errorf("next is in %s, want 10s", left)
			}
			elapsed.Add(int64(10 * time.Second))
			if other, _, _, err = s.Claim(t.Context(), time.Minute); err != nil || other.Change.Entry.ID != "b" {
				t.Errorf("claimed %q, %v; want the entry that has become ready", other.Change.Entry.ID, err)
			}
			if other.Change.Entry.UpdatedAt != wall() {
				t.Errorf("claimed at %s, want the time by the clock, %s", other.Change.Entry.UpdatedAt, wall())
			}
			elapsed.Add(int64(time.Minute))
			if again, _, _, err := s.Claim(t.Context(), time.Minute); err != nil || !again.Lost {
				t.Errorf("got %+v, %v; want a claim after an expired one", again, err)
			}
		})
	}
}

// If the clock is not set, the steady clock returns the same time.
func TestSteadyClock(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	steady := steadied(func() time.Time { return now })
	now = now.Add(time.Hour)
	if got := steady(); !got.Equal(now) {
		t.Errorf("got %s, want %s", got, now)
	}
}

// The steady clock of a store that is given no clock follows the monotonic one.
func TestSteadyClockIsMonotonic(t *testing.T) {
	t.Parallel()
	s := New(Options{Path: filepath.Join(t.TempDir(), "store.db")})
	for name, now := range map[string]time.Time{"clock": s.o.Now(), "steady clock": s.steady()} {
		if !strings.Contains(now.String(), " m=") { // as time.Time.String documents it
			t.Errorf("%s: %s has no monotonic reading", name, now)
		}
	}
}

// If the clock was set back while the store was closed, a warning is logged, and new
// entries have higher orders than earlier ones.
func TestClockSetBackBetweenStarts(t *testing.T) {
	t.Parallel()
	path, now := filepath.Join(t.TempDir(), "store.db"), time.Unix(1e9, 0).UTC()
	accept := func(id string, behind time.Duration) (order int64, log string) {
		t.Helper()
		var written bytes.Buffer
		s := New(Options{Path: path, Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(&written, nil))})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.ClockBehind(); got != behind {
			t.Errorf("the clock is behind by %s, want %s", got, behind)
		}
		c, _, err := s.Accept(t.Context(), deploy.Acceptance{Entry: core.Entry{ID: id, User: "u", Steps: []core.Step{}}})
		if err := errors.Join(err, s.Stop(t.Context())); err != nil {
			t.Fatal(err)
		}
		return c.Entry.Order, written.String()
	}
	first, log := accept("b", 0)
	if log != "" {
		t.Errorf("logged %q", log)
	}
	now = now.Add(-time.Hour)
	second, log := accept("a", time.Hour)
	if second <= first {
		t.Errorf("got order %d after %d", second, first)
	}
	if strings.Count(log, "clock set back") != 1 || !strings.Contains(log, "ahead=1h0m0s") {
		t.Errorf("logged %q", log)
	}
}
