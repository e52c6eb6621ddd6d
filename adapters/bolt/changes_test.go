package bolt_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/bolt"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// A change says what its entry was then, although the entry has changed since, or was
// removed.
func TestChangesKeepWhatEntriesWere(t *testing.T) {
	t.Parallel()
	s := open(t, bolt.Options{Path: filepath.Join(t.TempDir(), "store.db"), MaxEntries: 1})
	now := time.Now()
	var want []core.Change
	for i := range 3 {
		c, _, err := s.Accept(t.Context(), deploy.Acceptance{Entry: entry("me", idAt(now, i)), Place: &deploy.Place{}})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, c)
		for _, reason := range []string{"first", "second"} {
			c.Entry.Status, c.Entry.Reason = core.StatusOK, reason
			if c, err = s.Finish(t.Context(), c.Entry, 0); err != nil {
				t.Fatal(err)
			}
			want = append(want, c)
		}
	}
	if err := s.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Find(t.Context(), want[0].Entry.ID); !errors.Is(err, core.ErrNotFound) {
		t.Fatalf("the first entry: %v, want it removed", err)
	}
	got, err := coretest.Changes(t.Context(), s, "me", core.Seq{}, 100)
	if err != nil || len(got) != len(want) {
		t.Fatalf("got %d changes, %v; want %d", len(got), err, len(want))
	}
	for i, c := range got {
		w := want[i]
		if c.Seq != w.Seq || c.Entry.ID != w.Entry.ID || c.Entry.Revision != w.Entry.Revision || c.Entry.Status != w.Entry.Status || c.Entry.Reason != w.Entry.Reason {
			t.Errorf("change %d: got revision %d of %s, %s %q; want revision %d of %s, %s %q", i,
				c.Entry.Revision, c.Entry.ID, c.Entry.Status, c.Entry.Reason, w.Entry.Revision, w.Entry.ID, w.Entry.Status, w.Entry.Reason)
		}
	}
}
