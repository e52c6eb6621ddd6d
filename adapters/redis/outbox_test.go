package redis_test

import (
	"slices"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/redis"
	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
)

// What a server owes that is gone, one other tells, when the lease has run out
// by the clock of Redis.
func TestDeadServerOwes(t *testing.T) {
	t.Parallel()
	const short, long = 50 * time.Millisecond, time.Hour
	o := redis.Options{Addrs: []string{redistest.Start(t).Addr}}
	dead, one, other := open(t, o), open(t, o), open(t, o)
	asks := func(s *redis.Store) []string {
		owed, err := s.Outbox().Claim(t.Context(), nil, long)
		if err != nil {
			t.Fatal(err)
		}
		return owed
	}
	for id, lease := range map[string]time.Duration{"a": short, "b": long} {
		if err := dead.Outbox().Add(t.Context(), id, lease); err != nil {
			t.Fatal(err)
		}
	}
	if err := dead.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	var told []string
	for len(told) == 0 {
		told = append(asks(one), asks(other)...)
	}
	if !slices.Equal(told, []string{"a"}) {
		t.Errorf("got %v", told)
	}
	if again := append(asks(one), asks(other)...); len(again) > 0 {
		t.Errorf("%v are told twice", again)
	}
}

// What is owed is taken on whole or not at all, also where Redis is full.
func TestOwedWhenFull(t *testing.T) {
	t.Parallel()
	server, s, _ := started(t)
	if err := s.Outbox().Add(t.Context(), "a", 0); err != nil {
		t.Fatal(err)
	}
	server.Do("CONFIG", "SET", "maxmemory", "1")
	if owed, err := s.Outbox().Claim(t.Context(), nil, time.Minute); err == nil {
		t.Errorf("got %v", owed)
	}
	if err := s.Outbox().Done(t.Context(), "a"); err != nil {
		t.Errorf("what was told can't be forgotten: %v", err)
	}
}
