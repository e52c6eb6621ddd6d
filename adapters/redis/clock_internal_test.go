package redis

import (
	"testing"
	"testing/synctest"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// The estimate is never ahead of the clock of Redis, whenever during the call Redis
// read it.
func TestServerClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const ahead = 3 * time.Hour
		c := serverClock{began: time.Now()}
		if at := c.at(time.Now()); at != 0 {
			t.Errorf("got %d before anything is known", at)
		}
		theirs := func(ours time.Time) int64 { return ours.Add(ahead).UnixMicro() }
		said := theirs(time.Now())
		<-time.After(300 * time.Millisecond) // of its way back
		c.learn(said)
		ends := time.Now().Add(time.Minute)
		if got, most := c.at(ends), theirs(ends); got > most || got < most-300_000 {
			t.Errorf("got %d, want at most %d and no more than 0.3 s less", got, most)
		}
		if at := c.at(time.Time{}); at != 0 {
			t.Errorf("got %d for the zero time", at)
		}
	})
}

// No call fails because the clock of Redis was set forward, or because another server
// has become the master.
func TestClockOfRedisIsSet(t *testing.T) {
	t.Parallel()
	s := New(Options{Addrs: []string{redistest.Start(t).Addr}})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Stop(t.Context()) //nolint:errcheck // of a test
	s.theirs.then.Add(-time.Hour.Microseconds())
	if _, _, err := s.Bounds(t.Context(), "u"); err != nil {
		t.Error(err)
	}
	if _, err := s.send(t.Context(), time.Now().Add(-time.Second), "bounds", "u"); !goredis.HasErrorPrefix(err, late) {
		t.Errorf("a call whose deadline has passed: %v", err)
	}
}

// A delay has the requested duration, even if the clocks differ.
func TestLocalClockIsWrong(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for name, wrong := range map[string]time.Duration{"behind": -24 * time.Hour, "ahead": 24 * time.Hour} {
		s := New(Options{Addrs: []string{server.Addr}, Prefix: name})
		s.now = func() time.Time { return time.Now().Add(wrong) }
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer s.Stop(t.Context()) //nolint:errcheck // of a test
		queue := func(id string, at time.Time) {
			e := core.Entry{ID: id, User: "u", Status: core.StatusPending, Steps: []core.Step{}}
			if _, _, err := s.Accept(t.Context(), deploy.Acceptance{Entry: e, Place: &deploy.Place{At: at}}); err != nil {
				t.Fatal(err)
			}
		}
		at := s.now().Add(time.Hour)
		queue("later", at)
		_, found, next, err := s.Claim(t.Context(), time.Minute)
		if found || err != nil || next.Sub(at).Abs() > time.Minute {
			t.Errorf("%s: found %t, next %s, %v; want %s", name, found, next, err, at)
		}
		queue("now", s.now())
		if c, found, _, err := s.Claim(t.Context(), time.Minute); !found || err != nil || c.Change.Entry.ID != "now" {
			t.Errorf("%s: got %+v, %t, %v", name, c, found, err)
		}
	}
}
