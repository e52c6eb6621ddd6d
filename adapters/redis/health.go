package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/nodejitsu/webhooks/adapters/internal/availability"
	"github.com/nodejitsu/webhooks/adapters/internal/watchers"
)

// health is the state of Redis.
type health struct {
	outage *availability.State

	mu      sync.Mutex
	running bool
	epoch   string // of the data; "" until the first probe that succeeds
	probes  uint64 // number of probes that were begun
	latest  uint64 // the number of the latest probe whose result is known
	started bool   // a probe has succeeded
	newest  int64  // when the newest entry was accepted that was there then, by the clock of Redis
}

func (h *health) setRunning(running bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running = running
}

func (h *health) isRunning() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.running
}

// begin returns the number of a new probe.
func (h *health) begin() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.probes++
	return h.probes
}

// end records the result of a probe, unless that of a later probe is known, and
// reports whether an outage ended.
func (h *health) end(probe uint64, err error) (recovered bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if probe < h.latest || !h.running {
		return false
	}
	h.latest = probe
	if err != nil {
		h.outage.Begin(err)
		return false
	}
	return h.outage.End()
}

// setEpoch records which data Redis has, and reports whether it had other data
// before.
func (h *health) setEpoch(epoch string) (changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	changed = h.epoch != "" && h.epoch != epoch
	h.epoch = epoch
	return changed
}

// Check returns an error if the store can not write.
func (s *Store) Check(ctx context.Context) error {
	if !s.health.isRunning() {
		return errNotStarted
	}
	return s.probe(ctx)
}

// probe checks whether Redis can be used, and whether there were changes that no
// message announced.
func (s *Store) probe(ctx context.Context) error {
	probe := s.health.begin()
	before := s.heard.Load()
	n, err := s.counted(ctx)
	if err != nil && expired(ctx) {
		return err // the caller gave up; Redis may be available
	}
	recovered := s.health.end(probe, err)
	// A message may have been published but not received yet. Readers that were
	// woken in an outage could not read.
	if err == nil && n != before && s.heard.CompareAndSwap(before, n) || recovered {
		s.wakeAll()
	}
	return err
}

// suspect requests a probe after a call that failed. In an outage it only counts the
// call.
func (s *Store) suspect() {
	if s.health.outage.Fail() == nil {
		watchers.Signal(s.doubts)
	}
}

// counted returns the number of all changes. It writes, so it fails if Redis can't be
// written. It also reads the time of Redis and detects a loss of the data.
func (s *Store) counted(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.CallTimeout)
	defer cancel()
	starting, err := s.inspect(ctx)
	if err != nil {
		return 0, err
	}
	answer, err := s.send(ctx, time.Time{}, "probe", flag(starting))
	if err != nil {
		return 0, err
	}
	fields := answer.list()
	s.theirs.learn(fields.at(2).number())
	if s.health.setEpoch(fields.at(0).text()) {
		s.o.Logger.Error("redis lost its data; redeliver at GitHub what was accepted before", "prefix", s.o.Prefix)
		s.wakeAll()
	}
	if fields.at(5).number() == 1 {
		s.rewriteFile(ctx)
	}
	if starting {
		s.started(ctx, fields.at(3).number(), fields.at(4).number())
	}
	return fields.at(1).number(), answer.err
}

// rewriteFile makes Redis write its append-only file anew, after it was restarted. If
// Redis was killed within a write, the file may end within a transaction. Redis 7
// then removes only the last command from the file, and not the transaction
// (https://github.com/valkey-io/valkey/pull/4342): the next restart would apply the
// first half of it, which was never confirmed.
//
// The probe that found the restart wrote two values, so a transaction: the file
// does not end within one any more, which Redis requires of all files but the last.
func (s *Store) rewriteFile(ctx context.Context) {
	err := s.onNode(ctx, func(node redis.Cmdable) error { return node.BgRewriteAOF(ctx).Err() })
	if err != nil {
		s.o.Logger.Warn("redis was restarted, and its append-only file can not be rewritten; run BGREWRITEAOF", "error", err)
		return
	}
	s.o.Logger.Info("redis was restarted; it rewrites its append-only file")
}

// onNode calls use with the node of a Cluster that has the store's keys, or with Redis.
func (s *Store) onNode(ctx context.Context, use func(redis.Cmdable) error) error {
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return use(s.client)
	}
	node, err := cluster.MasterForKey(ctx, s.base())
	if err != nil {
		return err
	}
	return use(node)
}

// inspect reports whether no probe has succeeded yet. Then it checks the version
// of Redis.
func (s *Store) inspect(ctx context.Context) (starting bool, err error) {
	s.health.mu.Lock()
	starting = !s.health.started
	s.health.mu.Unlock()
	if starting {
		err = s.checkVersion(ctx)
	}
	return starting, err
}

// started records that the first probe has succeeded. It warns of settings that may
// lose data and of a clock that was set back: accepted is the time of the newest
// entry and now is the time, both in microseconds.
func (s *Store) started(ctx context.Context, accepted, now int64) {
	s.health.mu.Lock()
	first := !s.health.started
	s.health.started, s.health.newest = true, accepted
	s.health.mu.Unlock()
	if !first {
		return
	}
	s.warn(ctx)
	if accepted > now {
		s.o.Logger.Warn("redis clock set back: the newest entry is in the future",
			"accepted_at", time.UnixMicro(accepted).UTC(), "now", time.UnixMicro(now).UTC(),
			"ahead", time.Duration((accepted-now)*int64(time.Microsecond)).String())
	}
}

// ClockBehind returns by how much the clock of Redis is behind the newest entry that
// was there at the start; 0 if it is not. Then it is wrong now, or was when that entry
// was accepted.
func (s *Store) ClockBehind() time.Duration {
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	now := s.theirs.at(s.now())
	if !s.health.started || now == 0 {
		return 0
	}
	return max(0, time.Duration(s.health.newest-now)*time.Microsecond)
}

var errVersion = errors.New("the version of Redis is not supported")

// checkVersion fails if Redis is too old for the scripts.
func (s *Store) checkVersion(ctx context.Context) error {
	const oldest = 7
	info, err := s.client.Info(ctx, "server").Result()
	if err != nil {
		return err
	}
	_, version, _ := strings.Cut(info, "redis_version:")
	version, _, _ = strings.Cut(version, "\r\n")
	var major int
	if _, err := fmt.Sscanf(version, "%d.", &major); err != nil || major < oldest {
		return fmt.Errorf("%w: got %q, want %d or later", errVersion, version, oldest)
	}
	return nil
}

// warn logs settings that may lose data. Hosted servers may not report them.
func (s *Store) warn(ctx context.Context) {
	for _, setting := range []struct{ name, want, why string }{
		{"maxmemory-policy", "noeviction", "a full Redis drops entries instead of refusing them"},
		{"appendonly", "yes", "what was accepted since the last snapshot is lost when Redis ends"},
	} {
		found, err := s.client.ConfigGet(ctx, setting.name).Result()
		switch value := found[setting.name]; {
		case err != nil || value == "":
			s.o.Logger.Info("redis setting unknown", "setting", setting.name, "want", setting.want, "error", err)
		case value != setting.want:
			s.o.Logger.Warn("redis setting may lose data", "setting", setting.name,
				"value", value, "want", setting.want, "reason", setting.why)
		}
	}
}
