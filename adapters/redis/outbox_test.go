package redis_test

import (
	"slices"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/redis"
	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
)

// The notifications of a dead server are claimed by one other server when the lease
// has expired by the clock of Redis.
func TestOutboxOfADeadServer(t *testing.T) {
	t.Parallel()
	const short, long = 50 * time.Millisecond, time.Hour
	o := redis.Options{Addrs: []string{redistest.Start(t).Addr}}
	dead, one, other := open(t, o), open(t, o), open(t, o)
	claim := func(s *redis.Store) []string {
		ids, err := s.Outbox().Claim(t.Context(), nil, long)
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	for id, lease := range map[string]time.Duration{"a": short, "b": long} {
		if err := dead.Outbox().Add(t.Context(), id, lease); err != nil {
			t.Fatal(err)
		}
	}
	if err := dead.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	var claimed []string
	for len(claimed) == 0 {
		claimed = append(claim(one), claim(other)...)
	}
	if !slices.Equal(claimed, []string{"a"}) {
		t.Errorf("got %v", claimed)
	}
	if again := append(claim(one), claim(other)...); len(again) > 0 {
		t.Errorf("%v were claimed twice", again)
	}
}

// Claim is atomic, also if Redis is full.
func TestOutboxWhenFull(t *testing.T) {
	t.Parallel()
	server, s, _ := started(t)
	if err := s.Outbox().Add(t.Context(), "a", 0); err != nil {
		t.Fatal(err)
	}
	server.Do("CONFIG", "SET", "maxmemory", "1")
	if ids, err := s.Outbox().Claim(t.Context(), nil, time.Minute); err == nil {
		t.Errorf("got %v", ids)
	}
	if err := s.Outbox().Done(t.Context(), "a"); err != nil {
		t.Errorf("Done: %v", err)
	}
}
