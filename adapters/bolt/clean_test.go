package bolt_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/bolt"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// idAt is the n-th id of a time, as version 7 UUIDs begin.
func idAt(at time.Time, n int) string { return fmt.Sprintf("%012x%020x", at.UnixMilli(), n) }

// Old entries are removed with the keys that lead to them; live ones are kept.
func TestClean(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var clock atomic.Int64 // what the janitor reads, too
	clock.Store(now.UnixNano())
	s := open(t, bolt.Options{
		Path: filepath.Join(t.TempDir(), "store.db"), Now: func() time.Time { return time.Unix(0, clock.Load()).UTC() },
		KeepEntries: 10 * day, KeepPayloads: 5 * day, KeepKeys: 2 * day, KeepChanges: 3 * day,
	})
	accept := func(status core.Status) core.Entry {
		t.Helper()
		e := entry("me", idAt(now, 1))
		e.CreatedAt, e.UpdatedAt, e.App = now, now, "app"
		c, repeat, err := s.Accept(t.Context(), deploy.Acceptance{Entry: e, Payload: []byte("{}"), Key: "key", Place: &deploy.Place{Lane: "lane"}})
		if err != nil || repeat {
			t.Fatalf("repeat %t, %v", repeat, err)
		}
		c.Entry.Status = status
		write := s.Update
		if status.Outcome() {
			write = s.Finish
		}
		if c, err = write(t.Context(), c.Entry, 0); err != nil {
			t.Fatal(err)
		}
		return c.Entry
	}
	clean := func(later time.Duration) {
		t.Helper()
		now = now.Add(later)
		clock.Store(now.UnixNano())
		if err := s.Clean(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	kept := func(e core.Entry) (entry, payload bool) {
		t.Helper()
		_, err := s.Find(t.Context(), e.ID)
		_, payloadErr := s.Payload(t.Context(), e.ID)
		for _, err := range []error{err, payloadErr} {
			if err != nil && !errors.Is(err, core.ErrNotFound) {
				t.Fatal(err)
			}
		}
		return err == nil, payloadErr == nil
	}

	done := accept(core.StatusOK)
	first, _, err := s.Bounds(t.Context(), "me")
	if err != nil {
		t.Fatal(err)
	}
	clean(2*day + time.Hour) // the key has expired, so this is not a repeat
	held := accept(core.StatusHeld)
	clean(2 * day) // the changes of the first are removed
	if _, err := s.Changes(t.Context(), "me", first, 10); !errors.Is(err, core.ErrGone) {
		t.Errorf("got %v", err)
	}
	if all, err := coretest.Changes(t.Context(), s, "me", core.Seq{}, 10); err != nil || len(all) != 2 || all[0].Entry.ID != held.ID {
		t.Errorf("got %d changes, %v", len(all), err)
	}
	if entry, payload := kept(done); !entry || !payload {
		t.Errorf("entry %t, payload %t; want both", entry, payload)
	}
	clean(2 * day)
	if entry, payload := kept(done); !entry || payload {
		t.Errorf("entry %t, payload %t; want the entry only", entry, payload)
	}
	clean(30 * day)
	if entry, _ := kept(done); entry {
		t.Error("the outcome was not removed")
	}
	if entry, payload := kept(held); !entry || !payload {
		t.Errorf("entry %t, payload %t; want the live entry", entry, payload)
	}
	found, err := s.ByCommit(t.Context(), held.User, held.Repository.Key(), []string{held.Commit.ID})
	if err != nil || len(found) != 1 {
		t.Errorf("found %d by commit, %v", len(found), err)
	}
	for _, app := range []string{"", "app"} {
		if page, total, err := s.Entries(t.Context(), "me", app, 0, 10); err != nil || total != 1 || len(page) != 1 {
			t.Errorf("app %q: %d entries of %d, %v", app, len(page), total, err)
		}
	}
}

// The oldest outcomes of a user with too many are removed.
func TestCleanTooMany(t *testing.T) {
	t.Parallel()
	s := open(t, bolt.Options{Path: filepath.Join(t.TempDir(), "store.db"), MaxEntries: 5})
	now := time.Now()
	for user, count := range map[string]int{"many": 12, "few": 3} {
		for i := range count {
			e := entry(user, idAt(now, i+count*100))
			e.Status = core.StatusOK
			if i == 0 {
				e.Status = core.StatusPending
			}
			if _, _, err := s.Accept(t.Context(), deploy.Acceptance{Entry: e}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string]int{"many": 6, "few": 3} { // the oldest of many is live
		page, total, err := s.Entries(t.Context(), user, "", 0, 100)
		if err != nil || total != want || len(page) != want {
			t.Errorf("%s: %d entries of %d, %v; want %d", user, len(page), total, err, want)
		}
	}
}
