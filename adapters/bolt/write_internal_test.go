package bolt

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
)

func started(t *testing.T) *Store {
	t.Helper()
	s := New(Options{Path: filepath.Join(t.TempDir(), "store.db")})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// group is a group of writes; commit does them and returns the results.
type group []*write

func (g *group) add(do func(table) error) *write {
	w := &write{do: do, done: make(chan error, 1)}
	*g = append(*g, w)
	return w
}

func (g *group) commit(s *Store) (results []error) {
	all := *g
	s.commit(append([]*write{}, all...))
	for _, w := range all {
		select {
		case err := <-w.done:
			results = append(results, err)
		default:
			results = append(results, nil) // cancelled: it has no result
		}
	}
	return results
}

func put(key string) func(table) error {
	return func(t table) error { return t.put(bucketMeta, []byte(key), []byte("there")) }
}

func there(t *testing.T, s *Store, key string) bool {
	t.Helper()
	found := false
	err := s.view(t.Context(), func(t table) error {
		found = t.get(bucketMeta, []byte(key)) != nil
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestConcurrentWritesShareATransaction(t *testing.T) {
	t.Parallel()
	s := started(t)
	transactions := map[int]bool{}
	var g group
	for i := range 100 {
		g.add(func(t table) error {
			transactions[t.tx.ID()] = true
			return put(strconv.Itoa(i))(t)
		})
	}
	for i, err := range g.commit(s) {
		if err != nil || !there(t, s, strconv.Itoa(i)) {
			t.Errorf("write %d: %v", i, err)
		}
	}
	if len(transactions) != 1 {
		t.Errorf("got %d transactions", len(transactions))
	}
}

// A write that fails does not affect others, and one that was cancelled before it
// began is never done.
func TestWriteFailsAlone(t *testing.T) {
	t.Parallel()
	s := started(t)
	broken := errors.New("broken in the middle")
	var g group
	g.add(put("before"))
	g.add(func(t table) error { return errors.Join(put("half")(t), broken) })
	g.add(func(table) error { return core.ErrConflict })
	g.add(put("cancelled")).state.Store(stateCancelled)
	g.add(put("after"))
	results := g.commit(s)
	for i, want := range []error{nil, broken, core.ErrConflict, nil, nil} {
		if !errors.Is(results[i], want) {
			t.Errorf("write %d: got %v, want %v", i, results[i], want)
		}
	}
	for key, want := range map[string]bool{"before": true, "half": false, "cancelled": false, "after": true} {
		if there(t, s, key) != want {
			t.Errorf("%q is there: %t, want %t", key, !want, want)
		}
	}
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("the store has failed: %v", err)
	}
}

// If a transaction can not be committed, no write succeeds, and there are no further
// writes.
func TestCommitFails(t *testing.T) {
	t.Parallel()
	s := started(t)
	limited := errors.New("rolled back, as a commit might need room")
	err := s.db.Update(func(tx *bbolt.Tx) error {
		s.db.MaxSize = int(tx.Size()) // as a disk that is full
		return limited
	})
	if !errors.Is(err, limited) {
		t.Fatal(err)
	}
	var g group
	g.add(put("small"))
	g.add(func(t table) error { return t.put(bucketMeta, []byte("large"), make([]byte, 16<<20)) })
	for i, err := range g.commit(s) {
		if err == nil {
			t.Errorf("write %d was acknowledged", i)
		}
	}
	if there(t, s, "small") || there(t, s, "large") {
		t.Error("a part of the transaction is there")
	}
	if err := s.update(t.Context(), put("later")); err == nil {
		t.Error("a later write succeeded")
	}
	if err := s.Check(t.Context()); err == nil {
		t.Error("Check returned no error")
	}
}

func TestUpdateBeforeStart(t *testing.T) {
	t.Parallel()
	s := New(Options{Path: filepath.Join(t.TempDir(), "store.db")})
	if err := s.update(t.Context(), put("x")); !errors.Is(err, errClosed) {
		t.Errorf("got %v", err)
	}
	if err := s.Check(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("got %v", err)
	}
	if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("got %v", err)
	}
}
