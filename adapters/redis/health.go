package redis

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/adapters/internal/watchers"
)

// health is what is known of Redis.
type health struct {
	mu     sync.Mutex
	broken error  // why Redis can't be used; nil: it can, as far as is known
	epoch  string // which data we work with; "" before Start
	asked  uint64 // how many probes were begun
	judged uint64 // the latest of them that told something
}

func (h *health) start() { h.set(nil) }

func (h *health) stop() { h.set(errNotStarted) }

func (h *health) set(broken error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.broken = broken
}

func (h *health) state() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.broken
}

// begin numbers a probe.
func (h *health) begin() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	return h.asked
}

// judge takes what a probe found, unless one that began later has told already.
func (h *health) judge(probe uint64, found error) (broke, healed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if probe < h.judged || errors.Is(h.broken, errNotStarted) {
		return false, false
	}
	broke, healed = h.broken == nil && found != nil, h.broken != nil && found == nil
	h.judged, h.broken = probe, found
	return broke, healed
}

// isNow tells whether the data is not what it was before.
func (h *health) isNow(epoch string) (lost bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	lost = h.epoch != "" && h.epoch != epoch
	h.epoch = epoch
	return lost
}

// Check tells whether the store can write.
func (s *Store) Check(ctx context.Context) error {
	if err := s.health.state(); errors.Is(err, errNotStarted) {
		return err
	}
	return s.probe(ctx)
}

// probe writes something, so as to know whether that can be done, and notices
// where the data is not what it was, or has changes that no message told of.
func (s *Store) probe(ctx context.Context) error {
	probe := s.health.begin()
	before := s.heard.Load()
	n, err := s.counted(ctx, false)
	if err != nil && ctx.Err() != nil {
		return err // it is the caller who would not wait
	}
	broke, healed := s.health.judge(probe, err)
	switch {
	case broke:
		s.o.Logger.Error("redis can't be used; deliveries are refused until it can", "error", err)
	case healed:
		s.o.Logger.Info("redis can be used again")
	}
	// What a message tells meanwhile is heard, but perhaps not yet. And who was
	// woken in an outage could not read.
	if err == nil && n != before && s.heard.CompareAndSwap(before, n) || healed {
		s.wakeAll()
	}
	return err
}

// doubt has Redis looked at, after a call that failed, unless it is known that
// it can't be used: the log tells of an outage once, not for each call.
func (s *Store) doubt() {
	if s.health.state() == nil {
		watchers.Signal(s.doubts)
	}
}

// counted returns how many changes there were in all. It learns what time it is
// to Redis, and whether that was set back before the store was started.
func (s *Store) counted(ctx context.Context, starting bool) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := s.send(ctx, time.Time{}, "probe", flag(starting))
	if err != nil {
		return 0, err
	}
	fields := answer.list()
	s.theirs.learn(fields.at(2).number())
	if s.health.isNow(fields.at(0).text()) {
		s.o.Logger.Error("redis lost its data; deliveries that were accepted before are gone, redeliver them at GitHub", "prefix", s.o.Prefix)
		s.wakeAll()
	}
	if accepted, now := fields.at(3).number(), fields.at(4).number(); starting && accepted > now {
		s.o.Logger.Warn("the clock of redis was set back: the newest entry lies ahead of it",
			"accepted_at", time.UnixMicro(accepted).UTC(), "now", time.UnixMicro(now).UTC(),
			"ahead", time.Duration((accepted-now)*int64(time.Microsecond)).String())
	}
	return fields.at(1).number(), answer.err
}
