package redis_test

import (
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/nodejitsu/webhooks/adapters/redis"
	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
)

// The suite passes behind Sentinels.
func TestSentinel(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t)
	suite(t, redis.Options{Addrs: s.Addrs(), Master: s.Name})
}

// replicated returns a function that reports whether the replica has all acknowledged
// writes. It waits for the replica and may be called concurrently.
func replicated(t *testing.T, master *redistest.Server) func() bool {
	t.Helper()
	client := goredis.NewClient(&goredis.Options{
		Addr: master.Addr, MaxRetries: -1, DialTimeout: time.Second, ReadTimeout: time.Second,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}, // Conn races with it
	})
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return func() bool {
		conn := client.Conn()
		defer conn.Close() //nolint:errcheck // it goes back to the pool
		// WAIT covers all writes before the connection's last command.
		if conn.Ping(t.Context()).Err() != nil {
			return false
		}
		replicas, err := conn.Wait(t.Context(), 1, time.Second).Result()
		return err == nil && replicas == 1
	}
}

// The Sentinels replace the master under load. Deliveries are refused meanwhile and
// then accepted, without a restart. No delivery is lost that was acknowledged and
// replicated, and each reader of the feed receives each change once and in order.
func TestFailover(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args  []string
		begin func(s *redistest.Sentinel, master *redistest.Server, j *journal)
		end   func(s *redistest.Sentinel, master *redistest.Server) // nil: nothing has to be repaired
	}{
		// A master without replicas must not acknowledge writes: see INSTANCES.md.
		"forced": {
			args:  []string{"--min-replicas-to-write", "1"},
			begin: func(s *redistest.Sentinel, _ *redistest.Server, _ *journal) { s.Failover() },
		},
		"killed": {
			begin: func(_ *redistest.Sentinel, master *redistest.Server, _ *journal) { master.Kill() },
			end:   func(_ *redistest.Sentinel, master *redistest.Server) { master.Restart() },
		},
		"killed with a Sentinel": {
			begin: func(s *redistest.Sentinel, master *redistest.Server, _ *journal) {
				s.Sentinels[0].Kill()
				master.Kill()
			},
			end: func(s *redistest.Sentinel, master *redistest.Server) {
				s.Sentinels[0].Restart()
				master.Restart()
			},
		},
		// The master is not replaced at once: an outage.
		"killed with two Sentinels": {
			begin: func(s *redistest.Sentinel, master *redistest.Server, j *journal) {
				s.Sentinels[0].Kill()
				s.Sentinels[1].Kill()
				master.Kill()
				j.until(1, broken)
				s.Sentinels[0].Restart()
				s.Sentinels[1].Restart()
			},
			end: func(_ *redistest.Sentinel, master *redistest.Server) { master.Restart() },
		},
		"hung": {
			begin: func(_ *redistest.Sentinel, master *redistest.Server, _ *journal) { master.Pause() },
			end:   func(_ *redistest.Sentinel, master *redistest.Server) { master.Resume() },
		},
		"hung with a Sentinel": {
			begin: func(s *redistest.Sentinel, master *redistest.Server, _ *journal) {
				s.Sentinels[0].Pause()
				master.Pause()
			},
			end: func(s *redistest.Sentinel, master *redistest.Server) {
				s.Sentinels[0].Resume()
				master.Resume()
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			group, j := redistest.StartSentinel(t, test.args...), newJournal()
			o := redis.Options{Addrs: group.Addrs(), Master: group.Name, MaxChanges: manyChanges}
			other := open(t, o)
			o.Logger = j.logger()
			s := open(t, o)
			master := group.Master()
			f := startFlow(t, replicated(t, master), s, other)
			f.more(50)

			f.trust(never)
			group.DownAfter(time.Second)
			test.begin(group, master, j)
			now := group.Other(master)
			group.DownAfter(time.Minute)
			f.trust(always) // they are at the new master, which stays
			f.more(50)
			if test.end != nil {
				test.end(group, master)
			}
			group.Settle() // the old master replicates the new one
			f.more(50)
			f.end(true)
			if err := s.Check(t.Context()); err != nil {
				t.Error(err)
			}
			outages, _ := j.count(broken) // none if it was shorter than a call
			j.want(t, outages, recovered)
			j.want(t, 0, lost)
			if got := group.Master(); got != now {
				t.Errorf("the master is %s, want %s", got.Addr, now.Addr)
			}
		})
	}
}
