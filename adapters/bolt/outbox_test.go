package bolt_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/bolt"
)

// What is owed is owed until it is told, also by the process after this one.
func TestOutbox(t *testing.T) {
	t.Parallel()
	o := bolt.Options{Path: filepath.Join(t.TempDir(), "store.db")}
	s := open(t, o)
	for _, id := range []string{"b", "a", "b", "c"} {
		if err := s.Owe(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := s.Told(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if owed, err := open(t, o).Owed(t.Context()); err != nil || !slices.Equal(owed, []string{"a", "b"}) {
		t.Errorf("got %v, %v", owed, err)
	}
}
