package redis_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/redis"
	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
)

// A store starts while Redis is not available, and works as soon as it is.
func TestStartWithoutRedis(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before func(t *testing.T, s *redistest.Server) // makes Redis unavailable
		after  func(t *testing.T, s *redistest.Server) // makes it available
	}{
		"away": {
			func(_ *testing.T, s *redistest.Server) { s.Kill() },
			func(_ *testing.T, s *redistest.Server) { s.Restart() },
		},
		"silent": {
			func(_ *testing.T, s *redistest.Server) { s.Pause() },
			func(_ *testing.T, s *redistest.Server) { s.Resume() },
		},
		"loading": {
			func(_ *testing.T, s *redistest.Server) { s.RestartLoading() },
			func(_ *testing.T, s *redistest.Server) { s.Do("CONFIG", "SET", "key-load-delay", "0") },
		},
		"read-only": {
			func(t *testing.T, s *redistest.Server) { s.Do("REPLICAOF", "127.0.0.1", unused(t)) },
			func(_ *testing.T, s *redistest.Server) { s.Do("REPLICAOF", "NO", "ONE") },
		},
		"full": {
			func(_ *testing.T, s *redistest.Server) { s.Do("CONFIG", "SET", "maxmemory", "1") },
			func(_ *testing.T, s *redistest.Server) { s.Do("CONFIG", "SET", "maxmemory", "0") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, j := redistest.Start(t), newJournal()
			test.before(t, server)
			s := open(t, redis.Options{Addrs: []string{server.Addr}, Logger: j.logger()})
			j.want(t, 1, broken)
			if err := s.Check(t.Context()); err == nil {
				t.Error("Check returned no error")
			}
			if _, _, err := s.Accept(t.Context(), delivery(newEntry("u"))); err == nil {
				t.Error("a delivery was accepted")
			}
			test.after(t, server)
			j.until(1, recovered)
			if err := s.Check(t.Context()); err != nil {
				t.Error(err)
			}
			accept(t, s, newEntry("u"))
			seen := make(chan map[string]int64)
			go func() { seen <- watch(t, s, "u", 2) }()
			accept(t, open(t, redis.Options{Addrs: []string{server.Addr}}), newEntry("u"))
			if all := <-seen; len(all) != 2 { // so the subscription works, too
				t.Errorf("%d entries were seen, want 2", len(all))
			}
			j.want(t, 1, broken)
			j.want(t, 1, recovered)
		})
	}
}

// A clock that is behind the newest entry is logged, and reported while it is.
func TestStartWithClockBehind(t *testing.T) {
	t.Parallel()
	server, j := redistest.Start(t), newJournal()
	first := open(t, redis.Options{Addrs: []string{server.Addr}})
	accept(t, first, newEntry("u"))
	if got := first.ClockBehind(); got != 0 {
		t.Errorf("the clock is behind by %s, want 0", got)
	}
	// As if the clock of Redis had been a day ahead.
	server.Do("HSET", "{webhooks}:last", "accepted", strconv.FormatInt(time.Now().Add(24*time.Hour).UnixMicro(), 10))
	again := open(t, redis.Options{Addrs: []string{server.Addr}, Logger: j.logger()})
	j.until(1, "clock set back")
	if got := again.ClockBehind(); got < 23*time.Hour || got > 24*time.Hour {
		t.Errorf("the clock is behind by %s, want almost a day", got)
	}
}
