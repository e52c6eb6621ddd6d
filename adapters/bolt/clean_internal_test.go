package bolt

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// acceptMany accepts n outcomes with the given time, concurrently.
func acceptMany(t testing.TB, s *Store, user string, n int, at time.Time) {
	t.Helper()
	var group sync.WaitGroup
	const callers = 64
	for caller := range callers {
		group.Go(func() {
			for i := caller; i < n; i += callers {
				e := core.Entry{
					ID: fmt.Sprintf("%s-%d-%d", user, at.UnixNano(), i), User: user, Status: core.StatusOK, Steps: []core.Step{},
					Commit: core.Commit{ID: fmt.Sprintf("%040d", i)}, CreatedAt: at, UpdatedAt: at,
				}
				if _, _, err := s.Accept(t.Context(), deploy.Acceptance{Entry: e, Key: e.ID, Payload: []byte("{}")}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

// startedWithoutSync returns a store whose writes are not synced, for tests that
// write a lot, and whose janitor does not run.
func startedWithoutSync(t testing.TB, o Options) *Store {
	t.Helper()
	o.Path = filepath.Join(t.TempDir(), "store.db")
	s := New(o)
	s.noJanitor = true
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.db.NoSync = true
	t.Cleanup(func() {
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// The janitor reads only the entries that it removes, and the first one that it
// keeps.
func TestCleanReadsNoYoungEntries(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	s := startedWithoutSync(t, Options{Now: func() time.Time { return now }, KeepEntries: 10 * day, KeepPayloads: 10 * day})
	acceptMany(t, s, "u", 7, now.Add(-11*day))
	acceptMany(t, s, "u", 3*readPass, now)
	// The last of each bucket is read, and found too young.
	for _, want := range []int{7 + 1 + 1, 1 + 1} {
		if read, err := s.clean(t.Context()); err != nil || read != want {
			t.Errorf("read %d, %v; want %d", read, err, want)
		}
	}
	if _, total, err := s.Entries(t.Context(), "u", "", 0, 0); err != nil || total != 3*readPass {
		t.Errorf("%d entries are left, %v; want %d", total, err, 3*readPass)
	}
}

// The janitor reads only the outcomes that a user has too many of.
func TestCleanReadsOnlyTheExcess(t *testing.T) {
	t.Parallel()
	s := startedWithoutSync(t, Options{MaxEntries: 1000})
	acceptMany(t, s, "u", 1000+2*removePass+1, time.Now())
	for _, want := range []int{1 + 1 + 2*removePass + 1, 1 + 1} {
		if read, err := s.clean(t.Context()); err != nil || read != want {
			t.Errorf("read %d, %v; want %d", read, err, want)
		}
	}
	if _, total, err := s.Entries(t.Context(), "u", "", 0, 0); err != nil || total != 1000 {
		t.Errorf("%d entries are left, %v; want 1000", total, err)
	}
}

// Deliveries are accepted while many entries are removed: each waits for one small
// transaction of the janitor at most.
func TestAcceptWhileCleaning(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	o := Options{Now: func() time.Time { return now }, KeepEntries: 10 * day}
	s := startedWithoutSync(t, o)
	const old = 5000
	acceptMany(t, s, "u", old, now.Add(-11*day))
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.Path = s.o.Path
	s = New(o)
	if err := s.Start(t.Context()); err != nil { // and its janitor begins
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	var left, transaction int64 = old, 0
	for i := 0; left > 0; i++ {
		e := core.Entry{ID: fmt.Sprint(i), User: "v", Status: core.StatusOK, Steps: []core.Step{}, CreatedAt: now}
		if _, _, err := s.Accept(t.Context(), deploy.Acceptance{Entry: e}); err != nil {
			t.Fatal(err)
		}
		err := s.update(t.Context(), func(t table) error {
			before := left
			left = t.user("u").entries
			if transactions := int64(t.tx.ID()) - transaction; transaction > 0 && before-left > (transactions+1)*removePass {
				return fmt.Errorf("%d entries were removed by %d transactions", before-left, transactions)
			}
			transaction = int64(t.tx.ID())
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A scan tolerates entries with wrong times.
func TestOldScan(t *testing.T) {
	t.Parallel()
	const now, keep = 100, 10
	for name, test := range map[string]struct {
		created []int64 // in the order of acceptance; of a live entry negative
		want    []int64 // Orders, from 0
		read    int
	}{
		"none is old":              {[]int64{91, 92}, nil, 1},
		"some are old":             {[]int64{1, 90, 91, 92}, []int64{0, 1}, 3},
		"all are old":              {[]int64{1, 2}, []int64{0, 1}, 2},
		"a live one is passed":     {[]int64{1, -2, 3}, []int64{0, 2}, 3},
		"old behind young":         {[]int64{95, 1}, nil, 1},
		"made ahead of an old":     {[]int64{1000, 1, 95}, []int64{0, 1}, 3},
		"made ahead of young":      {[]int64{1000, 95}, nil, 2},
		"all were made ahead":      {[]int64{1000, 1001}, nil, 2},
		"made ahead, and it lives": {[]int64{-1000, 1}, []int64{1}, 2},
	} {
		scan, read := oldScan{now: now, keep: keep}, 0
		for order, created := range test.created {
			r := record{order: int64(order), created: created}
			if created < 0 {
				r.created, r.state = -created, live
			}
			read++
			if !scan.add(r) {
				break
			}
		}
		var got []int64
		for _, old := range scan.old {
			got = append(got, old.order)
		}
		if !slices.Equal(got, test.want) || read != test.read {
			t.Errorf("%s: got %v after %d, want %v after %d", name, got, read, test.want, test.read)
		}
	}
}

// Pages are consistent at any position and after any removals.
func TestPages(t *testing.T) {
	t.Parallel()
	s := startedWithoutSync(t, Options{MaxEntries: 1 << 20})
	const n = 3<<blockBits + 17
	acceptMany(t, s, "u", n, time.Now())
	all := func() []string {
		t.Helper()
		entries, total, err := s.Entries(t.Context(), "u", "", 0, n)
		if err != nil || total != len(entries) {
			t.Fatalf("got %d of %d, %v", len(entries), total, err)
		}
		var ids []string
		for i, e := range entries {
			if i > 0 && e.Order >= entries[i-1].Order {
				t.Fatalf("order %d is after %d", e.Order, entries[i-1].Order)
			}
			ids = append(ids, e.ID)
		}
		return ids
	}
	for round := range 3 {
		want := all()
		for skip := 0; skip < len(want)+100; skip += 97 {
			entries, total, err := s.Entries(t.Context(), "u", "", skip, 3)
			if err != nil || total != len(want) {
				t.Fatalf("got %d of %d, %v", len(entries), total, err)
			}
			var got []string
			for _, e := range entries {
				got = append(got, e.ID)
			}
			if wanted := want[min(skip, len(want)):min(skip+3, len(want))]; !slices.Equal(got, wanted) {
				t.Fatalf("round %d, skip %d: got %v, want %v", round, skip, got, wanted)
			}
		}
		// Remove some of them.
		var gone []revision
		err := s.view(t.Context(), func(t table) error {
			for i, id := range want {
				if i%(3+round) == 0 || i > 1500 && i < 1900 {
					r, err := t.find(id)
					if err != nil {
						return err
					}
					gone = append(gone, revision{r.order, r.revision})
				}
			}
			return nil
		})
		if err == nil {
			err = s.forget(t.Context(), gone)
		}
		if err != nil {
			t.Fatal(err)
		}
		if left := all(); len(left) != len(want)-len(gone) {
			t.Fatalf("%d are left of %d, want %d", len(left), len(want), len(want)-len(gone))
		}
	}
}

// Names with a zero byte do not match other names.
func TestNamesWithZeroes(t *testing.T) {
	t.Parallel()
	s := startedWithoutSync(t, Options{})
	commit := strings.Repeat("a", 40)
	for i, name := range []string{"", "\x00", "\x00\x00\x00\x00\x00\x00\x00\x00", "\x00\x00\x00\x00\x00\x00\x00\x01\x00"} {
		e := core.Entry{
			ID: fmt.Sprint(i), User: "u", App: "app" + name, Status: core.StatusPending, Steps: []core.Step{},
			Repository: core.Repository{Owner: "o", Name: "r"}, Commit: core.Commit{ID: commit + name},
		}
		if _, _, err := s.Accept(t.Context(), deploy.Acceptance{Entry: e, Place: &deploy.Place{Lane: "lane" + name}}); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := s.ByCommit(t.Context(), "u", core.Repository{Owner: "o", Name: "r"}.Key(), []string{commit}); err != nil || len(found) != 1 || found[0].Entry.ID != "0" {
		t.Errorf("got %d by commit, %v", len(found), err)
	}
	if _, total, err := s.Entries(t.Context(), "u", "app", 0, 10); err != nil || total != 1 {
		t.Errorf("got %d of the app, %v", total, err)
	}
	for i := range 4 { // each is the first of its lane
		c, found, _, err := s.Claim(t.Context(), time.Minute)
		if err != nil || !found || c.Change.Entry.ID != fmt.Sprint(i) {
			t.Errorf("claimed %q, %v; want %d", c.Change.Entry.ID, err, i)
		}
	}
}

// The number of steps of a push into a lane, and of the work on one, does not depend
// on the number of entries that wait.
func TestLaneCostsTheSame(t *testing.T) {
	t.Parallel()
	s := startedWithoutSync(t, Options{})
	next := 0
	push := func() {
		t.Helper()
		e := core.Entry{ID: fmt.Sprint(next), User: "u", Status: core.StatusPending, Steps: []core.Step{}}
		next++
		if _, _, err := s.Accept(t.Context(), deploy.Acceptance{Entry: e, Place: &deploy.Place{Lane: "lane"}}); err != nil {
			t.Fatal(err)
		}
	}
	work := func() int64 {
		t.Helper()
		stats := s.db.Stats()
		before := stats.TxStats.GetCursorCount()
		push()
		c, found, _, err := s.Claim(t.Context(), time.Minute)
		if err != nil || !found {
			t.Fatal(found, err)
		}
		if _, err := s.Finish(t.Context(), c.Change.Entry, c.Attempt); err != nil {
			t.Fatal(err)
		}
		stats = s.db.Stats()
		return stats.TxStats.GetCursorCount() - before
	}
	push()
	push()
	few := work()
	for range 1000 {
		push()
	}
	if many := work(); many != few {
		t.Errorf("%d steps with 1000 waiting entries, and %d with few", many, few)
	}
}
