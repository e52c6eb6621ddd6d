package events_test

import (
	"context"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/events"
)

// journal is a journal with its database.
type journal struct {
	*events.Journal
	db *bbolt.DB
}

// opened returns the journal in a file. close closes both.
func opened(t *testing.T, path string) (j journal, closing func()) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	j.db = db
	if j.Journal, err = events.Open(db); err != nil {
		t.Fatal(err)
	}
	return j, func() {
		j.Close()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func add(t *testing.T, j journal, app string) {
	t.Helper()
	e := apps.Event{Kind: apps.EventRolledBack, User: "me", App: app, Time: time.Unix(1e9, 0).UTC(), Failure: &core.EntryError{Code: core.CodeAppCrashed, Reason: "it exited"}}
	if err := j.db.Update(func(tx *bbolt.Tx) error { return j.Add(tx, e) }); err != nil {
		t.Fatal(err)
	}
}

func next(t *testing.T, j journal) []events.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	found, err := j.Next(ctx)
	if err != nil || ctx.Err() != nil {
		t.Fatal(err, ctx.Err())
	}
	return found
}

// Events stay, in order, until they are removed, also if the platform restarts.
func TestJournal(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "events.db")
	j, closing := opened(t, path)
	for _, app := range []string{"one", "two", "three"} {
		add(t, j, app)
	}
	found := next(t, j)
	if len(found) != 3 || found[0].App != "one" || found[1].App != "two" || found[2].App != "three" ||
		found[0].Seq >= found[1].Seq || found[0].ID == found[1].ID || found[0].Failure.Reason != "it exited" || found[0].Time.Unix() != 1e9 {
		t.Fatalf("got %+v", found)
	}
	if err := j.Remove(found[1].Seq); err != nil {
		t.Fatal(err)
	}
	closing()
	j, closing = opened(t, path)
	defer closing()
	if left := next(t, j); len(left) != 1 || left[0] != found[2] && left[0].ID != found[2].ID {
		t.Errorf("got %+v", left)
	}
	if err := j.Remove(found[2].Seq); err != nil {
		t.Fatal(err)
	}
	add(t, j, "four")
	if left := next(t, j); len(left) != 1 || left[0].App != "four" || left[0].Seq <= found[2].Seq {
		t.Errorf("got %+v", left)
	}
}

func TestNextWaits(t *testing.T) {
	t.Parallel()
	j, closing := opened(t, filepath.Join(t.TempDir(), "events.db"))
	ended := make(chan []events.Event)
	wait := func() {
		found, err := j.Next(t.Context())
		if err != nil {
			t.Error(err)
		}
		ended <- found
	}
	go wait()
	add(t, j, "one")
	found := <-ended
	if len(found) != 1 || found[0].App != "one" {
		t.Errorf("got %+v", found)
	}
	if err := j.Remove(found[0].Seq); err != nil {
		t.Fatal(err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if found, err := j.Next(canceled); err != nil || len(found) > 0 {
		t.Errorf("got %+v, %v", found, err)
	}
	go wait()
	j.Close()
	if found := <-ended; len(found) > 0 {
		t.Errorf("got %+v", found)
	}
	closing()
}

// If no server records the events, the oldest are dropped.
func TestJournalIsBounded(t *testing.T) {
	t.Parallel()
	j, closing := opened(t, filepath.Join(t.TempDir(), "events.db"))
	defer closing()
	for i := range 1010 {
		add(t, j, strconv.Itoa(i))
	}
	seen := 0
	for first := true; ; first = false {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		found, err := j.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			break
		}
		if first && found[0].App != "10" {
			t.Errorf("the oldest is %s", found[0].App)
		}
		seen += len(found)
		if err := j.Remove(found[len(found)-1].Seq); err != nil {
			t.Fatal(err)
		}
	}
	if seen != 1000 {
		t.Errorf("%d events", seen)
	}
}
