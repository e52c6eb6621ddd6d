package migrate_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/bolt"
	"github.com/nodejitsu/webhooks/adapters/redis"
	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/migrate"
)

func stores(t *testing.T) (*bolt.Store, *redis.Store) {
	t.Helper()
	from := bolt.New(bolt.Options{Path: filepath.Join(t.TempDir(), "webhooks.db"), MaxChanges: 90})
	to := redis.New(redis.Options{Addrs: []string{redistest.Start(t).Addr}, Prefix: rand.Text(), MaxChanges: 90, MaxEntries: 40})
	for _, s := range []interface {
		Start(context.Context) error
		Stop(context.Context) error
	}{from, to} {
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
	return from, to
}

// fill accepts entries of three users: some done, some held, some queued, and
// one user's log longer than it is kept; some of what is done is still to be
// told. It returns what is queued, in order.
func fill(t *testing.T, s *bolt.Store) (queued []string) {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	for i := range 120 {
		user := []string{"ann", "bob", ""}[i%3]
		id := fmt.Sprintf("%012x%020x", now.UnixMilli(), i)
		e := core.Entry{
			ID: id, User: user, Status: core.StatusPending, Provider: core.ProviderGitHub, Kind: core.EventPush,
			Repository: core.Repository{Owner: "owner", Name: "repo"}, Commit: core.Commit{ID: fmt.Sprintf("%040x", i)},
			Steps: []core.Step{}, CreatedAt: now, UpdatedAt: now,
		}
		place := &deploy.Place{Lane: user + "/lane", Enter: true, PushedAt: now.Add(time.Duration(i) * time.Second)}
		c, _, err := s.Accept(t.Context(), deploy.Acceptance{Entry: e, Payload: []byte(strings.Repeat(id, 100)), Key: id, Place: place})
		if err == nil && i%5 != 0 {
			c.Entry.App, c.Entry.Status, c.Entry.Reason = "app", core.StatusOK, strings.Repeat("why ", 500)
			if i%10 == 1 {
				err = s.Owe(t.Context(), id, 0)
			}
			for range 3 {
				if c, err = s.Save(t.Context(), c.Entry, deploy.Move{}); err != nil {
					break
				}
			}
		} else {
			queued = append(queued, id)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return queued
}

func TestRun(t *testing.T) {
	t.Parallel()
	from, to := stores(t)
	queued := fill(t, from)

	// Broken off in the middle, it goes on where it was.
	ctx, cancel := context.WithCancel(t.Context())
	_, err := migrate.Run(ctx, from, to, func(r migrate.Report) {
		if r.Appended > 50 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	report, err := migrate.Run(t.Context(), from, to, func(migrate.Report) {})
	if err != nil {
		t.Fatal(err)
	}
	if report.Entries != 120 || report.Added != 0 || report.Users != 3 || report.Appended >= report.Changes || report.Verified != report.Entries+report.Changes {
		t.Errorf("got %+v", report)
	}

	for _, user := range []string{"ann", "bob", ""} {
		wantOldest, wantNewest, _ := from.Bounds(t.Context(), user)
		oldest, newest, err := to.Bounds(t.Context(), user)
		if err != nil || oldest != wantOldest || newest != wantNewest {
			t.Errorf("%q: changes from %s to %s, %v; want %s to %s", user, oldest, newest, err, wantOldest, wantNewest)
		}
		for _, app := range []string{"", "app"} {
			want, wantTotal, _ := from.Entries(t.Context(), user, app, 10, 20)
			got, total, err := to.Entries(t.Context(), user, app, 10, 20)
			if err != nil || total != wantTotal || !reflect.DeepEqual(got, want) {
				t.Errorf("%q/%s: got %d of %d, %v; want %d of %d", user, app, len(got), total, err, len(want), wantTotal)
			}
		}
	}
	// Somebody who read the log before goes on reading it.
	if _, err := to.Changes(t.Context(), "ann", core.Seq{Millis: 1}, 1); !errors.Is(err, core.ErrGone) {
		t.Errorf("what the file does not keep: %v", err)
	}
	if payload, err := to.Payload(t.Context(), queued[0]); err != nil || string(payload) != strings.Repeat(queued[0], 100) {
		t.Errorf("payload %.40q, %v", payload, err)
	}
	repeat := deploy.Acceptance{Entry: core.Entry{ID: "new", User: "ann", Steps: []core.Step{}}, Key: queued[0]}
	if c, is, err := to.Accept(t.Context(), repeat); err != nil || !is || c.Entry.ID != queued[0] {
		t.Errorf("a repeated delivery: %s, %t, %v", c.Entry.ID, is, err)
	}
	// What waited waits still, a lane at a time, and knows who is the newest.
	for {
		claim, found, _, err := to.Claim(t.Context(), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if !found {
			break
		}
		id := claim.Change.Entry.ID
		before, held, _, err := from.Claim(t.Context(), time.Minute)
		if err != nil || !held || before.Change.Entry.ID != id || before.Standing != claim.Standing {
			t.Fatalf("claimed %s with %+v, the file %s with %+v, %v", id, claim.Standing, before.Change.Entry.ID, before.Standing, err)
		}
		for _, s := range []deploy.Store{from, to} {
			e := claim.Change.Entry
			if _, err := s.Save(t.Context(), e, deploy.Move{}); err != nil {
				t.Fatal(err)
			}
		}
		queued = queued[1:]
	}
	if len(queued) != 0 {
		t.Errorf("%d were never claimed", len(queued))
	}
	want, err := from.Owed(t.Context(), nil, time.Minute)
	if err != nil || len(want) != 12 {
		t.Errorf("the file owes %d, %v", len(want), err)
	}
	if got := owed(t, to); !slices.Equal(got, want) {
		t.Errorf("owed is %v, want %v", got, want)
	}
}

// owed takes on what is owed, in the order of the ids.
func owed(t *testing.T, s *redis.Store) []string {
	t.Helper()
	ids, err := s.Owed(t.Context(), nil, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ids)
	return ids
}

// A store that servers have used since it was moved to keeps what they did,
// however often it is moved to again.
func TestRunAgain(t *testing.T) {
	t.Parallel()
	from, to := stores(t)
	queued := fill(t, from)
	if _, err := migrate.Run(t.Context(), from, to, func(migrate.Report) {}); err != nil {
		t.Fatal(err)
	}
	// Servers bring to its end all that waits, and it joins an app.
	for range queued {
		c, found, _, err := to.Claim(t.Context(), time.Minute)
		if err != nil || !found {
			t.Fatalf("found %t, %v", found, err)
		}
		if _, _, err := to.Join(t.Context(), c, "app"); err != nil {
			t.Fatal(err)
		}
		e := c.Change.Entry
		e.App, e.Status = "app", core.StatusOK
		if _, err := to.Save(t.Context(), e, deploy.Move{Claim: c.Attempt}); err != nil {
			t.Fatal(err)
		}
	}
	// They tell all that is owed.
	for _, id := range owed(t, to) {
		if err := to.Told(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	// One more is accepted in each lane, and what is too much of a user is removed.
	var newest []core.Change
	for i, user := range []string{"ann", "bob", ""} {
		e := core.Entry{ID: fmt.Sprintf("ffffffffffff%020x", i), User: user, Status: core.StatusPending, Steps: []core.Step{}}
		place := &deploy.Place{Lane: user + "/lane", Enter: true, PushedAt: time.Now().Add(time.Hour)}
		c, _, err := to.Accept(t.Context(), deploy.Acceptance{Entry: e, Place: place})
		if err != nil {
			t.Fatal(err)
		}
		newest = append(newest, c)
	}
	if err := to.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := everything(t, to)

	report, err := migrate.Run(t.Context(), from, to, func(migrate.Report) {})
	if err != nil {
		t.Fatal(err)
	}
	if report.Added != 0 || report.Appended != 0 || report.Passed < len(queued) {
		t.Errorf("got %+v", report)
	}
	if after := everything(t, to); !reflect.DeepEqual(after, before) {
		t.Errorf("it was changed:\n%+v\nwas\n%+v", after, before)
	}
	if again := owed(t, to); len(again) > 0 {
		t.Errorf("%v are to be told again", again)
	}
	for _, want := range newest {
		c, found, _, err := to.Claim(t.Context(), time.Minute)
		if err != nil || !found || c.Change.Entry.ID != want.Entry.ID || c.Standing.Newest != want.Entry.ID {
			t.Fatalf("claimed %+v, %t, %v; want %s", c, found, err, want.Entry.ID)
		}
	}
	if c, found, _, err := to.Claim(t.Context(), time.Minute); found || err != nil {
		t.Errorf("it waits again: %+v, %v", c, err)
	}
}

// everything returns all entries and changes of the users of fill.
func everything(t *testing.T, s *redis.Store) (all []any) {
	t.Helper()
	for _, user := range []string{"ann", "bob", ""} {
		page, total, err := s.Entries(t.Context(), user, "", 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		oldest, _, err := s.Bounds(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		changes, err := s.Changes(t.Context(), user, oldest, 100)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page, total, oldest, changes)
	}
	return all
}

// What was lost of an entry is there again after another run, also where the
// entry is as it was.
func TestRunRepairs(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	from, _ := stores(t)
	to := redis.New(redis.Options{Addrs: []string{server.Addr}, MaxChanges: 90})
	if err := to.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = to.Stop(context.WithoutCancel(t.Context())) })
	id := fill(t, from)[0]
	if _, err := migrate.Run(t.Context(), from, to, func(migrate.Report) {}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"p:" + id, "k:ann " + id, "l:ann/lane"} {
		if removed := server.Do("DEL", "{webhooks}:"+key); removed != "1" {
			t.Fatalf("%s was not there", key)
		}
	}
	report, err := migrate.Run(t.Context(), from, to, func(migrate.Report) {})
	if err != nil || report.Passed != 0 || report.Verified != report.Entries+report.Changes {
		t.Errorf("got %+v, %v", report, err)
	}
	for _, key := range []string{"p:" + id, "k:ann " + id, "l:ann/lane"} {
		if there := server.Do("EXISTS", "{webhooks}:"+key); there != "1" {
			t.Errorf("%s is not there again", key)
		}
	}
}
