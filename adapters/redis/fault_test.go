package redis_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nodejitsu/webhooks/adapters/redis"
	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
	"github.com/nodejitsu/webhooks/core"
)

// After Redis is killed and restarted with its data, all accepted deliveries are
// there, and watchers at every process see each change once.
func TestKilled(t *testing.T) {
	t.Parallel()
	const writers, each = 4, 60
	// With everysec, Redis acknowledges writes that it has not passed to the kernel yet
	// while an earlier sync is slow: a slow disk would lose them here.
	server, s, j := started(t, "--appendfsync", "always")
	other := open(t, redis.Options{Addrs: []string{server.Addr}})
	var watching, writing sync.WaitGroup
	for _, store := range []*redis.Store{s, s, other} {
		watching.Go(func() {
			if seen := watch(t, store, "u", writers*each); len(seen) != writers*each {
				t.Errorf("%d entries were seen, want %d", len(seen), writers*each)
			}
		})
	}
	var accepted atomic.Int64
	kill := map[int64]chan struct{}{writers * each / 4: make(chan struct{}), writers * each / 2: make(chan struct{})}
	ids := make(chan string, writers*each)
	for range writers {
		writing.Go(func() {
			for range each {
				a := delivery(newEntry("u"))
				c, repeat, err := s.Accept(t.Context(), a)
				for err != nil && t.Context().Err() == nil { // as the sender does
					c, repeat, err = s.Accept(t.Context(), a)
				}
				if repeat || c.Entry.ID != a.Entry.ID {
					t.Errorf("repeat %t, %s instead of %s", repeat, c.Entry.ID, a.Entry.ID)
				}
				ids <- a.Entry.ID
				if now := kill[accepted.Add(1)]; now != nil {
					close(now)
				}
			}
		})
	}
	for n, at := range []int64{writers * each / 4, writers * each / 2} {
		<-kill[at]
		server.Kill()
		j.until(n+1, broken)
		server.Restart()
		j.until(n+1, recovered)
		server.Rewritten()
	}
	writing.Wait()
	close(ids)
	for id := range ids {
		if c, err := s.Find(t.Context(), id); err != nil || c.Entry.Revision != 1 {
			t.Fatalf("%s was accepted: revision %d, %v", id, c.Entry.Revision, err)
		}
	}
	watching.Wait()
	j.want(t, 0, lost)
}

// If Redis is killed within a write, nothing of the delivery that was not confirmed
// appears after a later restart, neither in the feed nor in the log.
func TestKilledWithinWrite(t *testing.T) {
	t.Parallel()
	server, s, j := started(t, "--appendfsync", "always")
	first, torn := accept(t, s, newEntry("u")), newEntry("u")
	accept(t, s, torn)
	server.Kill()
	j.until(1, broken)
	server.Tear()
	server.Restart()
	j.until(1, recovered)
	server.Rewritten()
	// The file has changes of the time after the restart too.
	again := accept(t, s, torn)
	server.Kill()
	j.until(2, broken)
	server.Restart()
	j.until(2, recovered)
	got := changes(t, s, "u", core.Seq{})
	if len(got) != 2 || got[0].Seq != first.Seq || got[1].Seq != again.Seq {
		t.Errorf("got %v, want %v and %v", got, first, again)
	}
	j.want(t, 0, lost)
}

// After Redis is restarted without its data, reading after a lost change fails with
// ErrGone from the first call on, and new deliveries work.
func TestDataLost(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*redistest.Server){
		"restarted": func(s *redistest.Server) { s.Kill(); s.Wipe(); s.Restart() },
		"flushed":   func(s *redistest.Server) { s.Do("FLUSHALL") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, s, j := started(t)
			before := accept(t, s, newEntry("u"))
			held := claim(t, s)
			wake, stop := s.Watch("u")
			defer stop()
			lose(server)
			<-wake
			for range 2 { // before and after it was noticed
				if _, err := s.Changes(t.Context(), "u", before.Seq, 10); !errors.Is(err, core.ErrGone) {
					t.Errorf("got %v", err)
				}
				j.until(1, lost)
			}
			if _, err := s.Renew(t.Context(), held, time.Minute); !errors.Is(err, core.ErrConflict) {
				t.Errorf("got %v", err)
			}
			if _, err := s.Finish(t.Context(), held.Change.Entry, 0); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("got %v", err)
			}
			first := accept(t, s, newEntry("u"))
			if got := changes(t, s, "u", core.Seq{}); len(got) != 1 || got[0].Seq != first.Seq {
				t.Errorf("got %v", got)
			}
			if got := changes(t, s, "u", first.Seq); len(got) != 0 {
				t.Errorf("got %v", got)
			}
			if c := claim(t, s); c.Change.Entry.ID != first.Entry.ID {
				t.Errorf("got %s", c.Change.Entry.ID)
			}
			if err := s.Check(t.Context()); err != nil {
				t.Error(err)
			}
			j.want(t, 1, lost)
		})
	}
}

// A write before the loss is detected belongs to the new data.
func TestFirstWriteAfterLoss(t *testing.T) {
	t.Parallel()
	server, s, j := started(t)
	accept(t, s, newEntry("u"))
	server.Do("FLUSHALL")
	first := accept(t, s, newEntry("u"))
	second := accept(t, s, newEntry("u"))
	j.until(1, lost)
	if got := changes(t, s, "u", first.Seq); len(got) != 1 || got[0].Seq != second.Seq {
		t.Errorf("got %v", got)
	}
}

// Redis may forget the scripts at any time.
func TestScriptFlush(t *testing.T) {
	t.Parallel()
	const workers, each = 8, 30
	server, s, j := started(t, "--appendonly", "no")
	client := goredis.NewClient(&goredis.Options{Addr: server.Addr})
	defer client.Close() //nolint:errcheck // of a test
	stop := make(chan struct{})
	var flushing, working sync.WaitGroup
	flushing.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := client.ScriptFlush(t.Context()).Err(); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for range workers {
		working.Go(func() {
			for range each {
				if _, _, err := s.Accept(t.Context(), delivery(newEntry("u"))); err != nil {
					t.Error(err)
				}
				c, found, _, err := s.Claim(t.Context(), time.Minute)
				if err != nil || !found {
					t.Errorf("found %t, %v", found, err)
					continue
				}
				e := c.Change.Entry
				e.Status = core.StatusOK
				if _, err := s.Finish(t.Context(), e, 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	working.Wait()
	close(stop)
	flushing.Wait()
	all := changes(t, s, "u", core.Seq{})
	outcomes := map[string]bool{}
	for _, c := range all {
		if c.Entry.Status == core.StatusOK && c.Entry.Attempts == 1 {
			outcomes[c.Entry.ID] = true
		}
	}
	if len(all) != 3*workers*each || len(outcomes) != workers*each {
		t.Errorf("%d changes and %d outcomes of %d entries", len(all), len(outcomes), workers*each)
	}
	if !strings.Contains(server.Do("INFO", "errorstats"), "NOSCRIPT") {
		t.Error("Redis never forgot a script")
	}
	j.want(t, 0, broken)
}

// If Redis refuses writes, no call is done partially, reading works, the outage is
// logged once, and the store recovers with Redis.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		says       string
		begin, end []string
	}{
		"full":      {"OOM", []string{"CONFIG", "SET", "maxmemory", "1"}, []string{"CONFIG", "SET", "maxmemory", "0"}},
		"read-only": {"READONLY", nil, []string{"REPLICAOF", "NO", "ONE"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, s, j := started(t)
			begin := test.begin
			if begin == nil {
				begin = []string{"REPLICAOF", "127.0.0.1", unused(t)}
			}
			accept(t, s, newEntry("u"))
			held := claim(t, s)
			waiting := accept(t, s, newEntry("u"))
			before, keys := changes(t, s, "u", core.Seq{}), sorted(server.Keys())

			server.Do(begin...)
			refused := newEntry("u")
			for range 3 {
				if _, _, err := s.Accept(t.Context(), delivery(refused)); err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("got %v", err)
				}
			}
			if _, err := s.Finish(t.Context(), held.Change.Entry, 0); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
			if _, _, _, err := s.Claim(t.Context(), time.Minute); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
			if err := s.Check(t.Context()); err == nil {
				t.Error("Check returned no error")
			}
			j.until(1, broken)
			if _, err := s.Find(t.Context(), refused.ID); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("got %v", err)
			}
			if got := changes(t, s, "u", core.Seq{}); len(got) != len(before) {
				t.Errorf("got %d changes, want %d", len(got), len(before))
			}
			if got := sorted(server.Keys()); !slices.Equal(got, keys) {
				t.Errorf("got keys %q, want %q", got, keys)
			}
			if _, total, err := s.Entries(t.Context(), "u", "", 0, 10); err != nil || total != 2 {
				t.Errorf("got %d, %v", total, err)
			}

			server.Do(test.end...)
			j.until(1, recovered)
			if _, err := s.Finish(t.Context(), held.Change.Entry, 0); err != nil {
				t.Error(err)
			}
			if c := claim(t, s); c.Change.Entry.ID != waiting.Entry.ID {
				t.Errorf("got %s", c.Change.Entry.ID)
			}
			if c := accept(t, s, refused); c.Entry.Revision != 1 {
				t.Errorf("got revision %d", c.Entry.Revision)
			}
			j.want(t, 1, broken)
			j.want(t, 1, recovered)
		})
	}
}

// A watcher that was woken in an outage, and could not read, is woken again.
func TestWokenAfterOutage(t *testing.T) {
	t.Parallel()
	server, s, j := started(t)
	server.Do("CONFIG", "SET", "maxmemory", "1") // the subscription stays open
	j.until(1, broken)
	wake, stop := s.Watch("u")
	defer stop()
	server.Do("CONFIG", "SET", "maxmemory", "0")
	<-wake
	j.want(t, 1, recovered)
}

// The entry of a dead process is not claimed while Redis is full and could not store
// the outcome, but after that.
func TestLeaseRunsOutWhileFull(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var later atomic.Int64
	s := open(t, redis.Options{Addrs: []string{server.Addr}, Now: func() time.Time {
		return time.Now().Add(time.Duration(later.Load()))
	}})
	accept(t, s, newEntry("u"))
	dead := claim(t, s)
	later.Store(int64(time.Hour))
	server.Do("CONFIG", "SET", "maxmemory", "1")
	if _, found, _, err := s.Claim(t.Context(), time.Minute); found || err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("found %t, %v", found, err)
	}
	server.Do("CONFIG", "SET", "maxmemory", "0")
	if c := claim(t, s); c.Change.Entry.ID != dead.Change.Entry.ID || c.Attempt != 2 || !c.Lost {
		t.Errorf("got %+v", c)
	}
}

func sorted(all []string) []string { slices.Sort(all); return all }

// If the disk of Redis is full, it refuses writes until there is room with everysec,
// and exits with always. In both cases all acknowledged writes are there.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	for _, fsync := range []string{"everysec", "always"} {
		t.Run(fsync, func(t *testing.T) {
			t.Parallel()
			server, j := redistest.StartOnSmallDisk(t, "--appendfsync", fsync), newJournal()
			s := open(t, redis.Options{Addrs: []string{server.Addr}, Logger: j.logger()})
			server.LimitFiles(64 << 10)
			var acknowledged []string
			refused := newEntry("u")
			for {
				if _, _, err := s.Accept(t.Context(), delivery(refused)); err != nil {
					break
				}
				acknowledged = append(acknowledged, refused.ID)
				refused = newEntry("u")
			}
			j.until(1, broken)
			if len(acknowledged) == 0 {
				t.Error("nothing was acknowledged before the disk was full")
			}
			if fsync == "always" {
				server.Kill()
				server.Restart()
			} else {
				server.LimitFiles(0)
			}
			j.until(1, recovered)
			if fsync == "always" {
				server.Rewritten()
			}
			server.Kill()
			server.Restart()
			for s.Check(t.Context()) != nil && t.Context().Err() == nil {
			}
			for _, id := range acknowledged {
				if _, err := s.Find(t.Context(), id); err != nil {
					t.Error(err)
				}
			}
			accept(t, s, refused)
		})
	}
}
