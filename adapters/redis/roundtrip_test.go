package redis_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// Every call is one command of one client, as seen by Redis.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	server, s, _ := started(t)
	warm(t, server)
	for range 150 {
		accept(t, s, newEntry("many"))
		e := claim(t, s).Change.Entry
		e.Status = core.StatusOK
		if _, err := s.Finish(t.Context(), e, 0); err != nil {
			t.Fatal(err)
		}
	}
	// The scripts that were not used above.
	a := delivery(newEntry("u"))
	lookups := func() error {
		_, err := s.ByCommit(t.Context(), "u", a.Entry.Repository.Key(), []string{a.Entry.Commit.ID})
		if err == nil {
			_, _, err = s.Bounds(t.Context(), "u")
		}
		if err == nil {
			_, err = s.Changes(t.Context(), "u", core.Seq{}, 100)
		}
		if err == nil {
			_, _, err = s.Entries(t.Context(), "u", "", 0, 100)
		}
		if err == nil {
			err = s.Outbox().Add(t.Context(), a.Entry.ID, 0)
		}
		if err == nil {
			_, err = s.Outbox().Claim(t.Context(), nil, time.Minute)
		}
		if err == nil {
			err = s.Outbox().Done(t.Context(), a.Entry.ID)
		}
		return err
	}
	accept(t, s, newEntry("other"))
	c := claim(t, s)
	if _, _, err := s.ClaimApp(t.Context(), c, "app"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Renew(t.Context(), c, time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Find(t.Context(), c.Change.Entry.ID); err != nil {
		t.Fatal(err)
	}
	if err := lookups(); err != nil {
		t.Fatal(err)
	}

	monitor := server.StartMonitor(t)
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	probe := shape(monitor.Said()[0])
	var claimed deploy.Claim
	for _, test := range []struct {
		name string
		call func() error
	}{
		{"accept", func() error { _, _, err := s.Accept(t.Context(), a); return err }},
		{"accept a repeat", func() error { _, _, err := s.Accept(t.Context(), a); return err }},
		{"claim", func() (err error) { claimed, _, _, err = s.Claim(t.Context(), time.Minute); return err }},
		{"claim from an empty queue", func() error { _, _, _, err := s.Claim(t.Context(), time.Minute); return err }},
		{"join", func() error { _, _, err := s.ClaimApp(t.Context(), claimed, "app2"); return err }},
		{"renew", func() error { _, err := s.Renew(t.Context(), claimed, time.Minute); return err }},
		{"save", func() error { _, err := s.Finish(t.Context(), claimed.Change.Entry, 0); return err }},
		{"find", func() error { _, err := s.Find(t.Context(), a.Entry.ID); return err }},
		{"entry", func() error { _, err := s.Entry(t.Context(), "u", a.Entry.ID); return err }},
		{"payload", func() error { _, err := s.Payload(t.Context(), a.Entry.ID); return err }},
		{"by commit", func() error {
			_, err := s.ByCommit(t.Context(), "u", a.Entry.Repository.Key(), []string{a.Entry.Commit.ID})
			return err
		}},
		{"bounds", func() error { _, _, err := s.Bounds(t.Context(), "many"); return err }},
		{"a page", func() error { return full(s.Entries(t.Context(), "many", "", 50, 100)) }},
		{"an app's page", func() error { return full(s.Entries(t.Context(), "many", "app", 50, 100)) }},
		{"add", func() error { return s.Outbox().Add(t.Context(), a.Entry.ID, 0) }},
		{"claim outbox", func() error { _, err := s.Outbox().Claim(t.Context(), []string{a.Entry.ID}, time.Minute); return err }},
		{"done", func() error { return s.Outbox().Done(t.Context(), a.Entry.ID) }},
		{"changes", func() error { _, err := s.Changes(t.Context(), "many", core.Seq{}, 100); return err }},
	} {
		if err := test.call(); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		said := slices.DeleteFunc(monitor.Said(), func(command string) bool {
			// The store probes Redis, for which it may need another connection;
			// go-redis pings that of the subscription.
			return shape(command) == probe || strings.HasPrefix(command, `"hello"`) ||
				strings.HasPrefix(command, `"client"`) || strings.HasPrefix(command, `"ping"`)
		})
		if len(said) != 1 {
			t.Errorf("%s: %d round trips: %.500q", test.name, len(said), said)
			continue
		}
		if !strings.HasPrefix(said[0], `"evalsha"`) && test.name != "payload" {
			t.Errorf("%s: %.200s", test.name, said[0])
		}
	}
	if claimed.Change.Entry.ID != a.Entry.ID {
		t.Errorf("%s was claimed", claimed.Change.Entry.ID)
	}
}

// shape is a command and which script it calls.
func shape(command string) string {
	return strings.Join(append(strings.Fields(command), "")[:2], " ")
}

func full(page []core.Entry, _ int, err error) error {
	if err == nil && len(page) != 100 {
		return fmt.Errorf("%d are on the page", len(page))
	}
	return err
}
