package bolt

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/nodejitsu/webhooks/core"
)

// A disk is full if only the free pages of the file can be written: Check fails from
// the start, and the outage lasts until there is room.
func TestFreePagesAreNoRoom(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s := New(Options{Path: path})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.update(t.Context(), put("before")); err != nil {
		t.Fatal(err)
	}
	var size int
	err := s.view(t.Context(), func(t table) error {
		size = int(t.tx.Size())
		if t.get(bucketMeta, []byte(metaRoom)) != nil {
			return errors.New("what was written to see whether there is room is still there")
		}
		return nil
	})
	if err := errors.Join(err, s.Stop(t.Context())); err != nil {
		t.Fatal(err)
	}
	// Small compaction leaves few free pages, and the file may not grow.
	if _, _, err := CompactFile(path); err != nil {
		t.Fatal(err)
	}
	s = New(Options{Path: path})
	s.maxSize = size / 2
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 { // also when it is opened anew
		if err := s.Check(t.Context()); !errors.Is(err, bolterrors.ErrMaxSizeReached) {
			t.Errorf("got %v, want an error of a full disk", err)
		}
		if err := s.reopen(); !errors.Is(err, bolterrors.ErrMaxSizeReached) {
			t.Errorf("opened anew: got %v, want an error of a full disk", err)
		}
	}
	if !there(t, s, "before") {
		t.Error("reading failed")
	}
	if _, err := s.Find(t.Context(), "unknown"); !errors.Is(err, core.ErrNotFound) || strings.Contains(err.Error(), "open") {
		t.Errorf("got %v", err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
