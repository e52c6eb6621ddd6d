package migrate_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
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
	to := redis.New(redis.Options{Addrs: []string{redistest.Start(t).Addr}, Prefix: rand.Text(), MaxChanges: 90})
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
// one user's log longer than it is kept. It returns what is queued, in order.
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
}
