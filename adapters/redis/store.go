package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/nodejitsu/webhooks/adapters/internal/watchers"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/status"
)

// Store is the store in Redis. Its methods may be called concurrently between
// Start and Stop.
type Store struct {
	o       Options
	client  redis.UniversalClient
	finder  *sentinels // nil: there are none
	scripts map[string]*redis.Script
	packer  *packer
	ready   chan struct{}
	doubts  chan struct{} // receives after a call that Redis did not answer

	cancel  context.CancelFunc // of what runs
	running sync.WaitGroup

	watchers watchers.Watchers
	highest  atomic.Int64 // Order that we have seen
	heard    atomic.Int64 // how many changes there were in all, as far as we heard
	lost     unanswered
	health   health
	theirs   theirClock
	now      func() time.Time // by our clock
}

var (
	_ deploy.Store   = (*Store)(nil)
	_ deploy.Queue   = (*Store)(nil)
	_ deploy.Watcher = (*Store)(nil)
	_ deploy.Outbox  = outbox{}
	_ status.Log     = (*Store)(nil)
	_ status.Feed    = (*Store)(nil)
)

// New returns a Store that is not connected yet.
func New(o Options) *Store {
	o = o.withDefaults()
	client, finder := newClient(o)
	now := o.Now
	if now == nil {
		now = time.Now
	}
	return &Store{
		o: o, client: client, finder: finder, scripts: scripts(), packer: newPacker(),
		ready: make(chan struct{}, 1), doubts: make(chan struct{}, 1), health: health{broken: errNotStarted},
		theirs: theirClock{began: time.Now()}, now: now,
	}
}

var errNotStarted = errors.New("redis: the store was not started, or was stopped")

// Times of a call. A delivery's sender waits for some of them.
const (
	callTimeout = 2 * time.Second        // of a call, with all its tries
	tryTimeout  = 900 * time.Millisecond // of connecting, or of one try: leaves time for another
	retries     = 3
	longestWait = 300 * time.Millisecond // between two tries
)

const clientName = "webhooks"

// newClient returns the client, and what finds the master where Sentinels know it.
func newClient(o Options) (redis.UniversalClient, *sentinels) {
	all := &redis.UniversalOptions{
		Addrs: o.Addrs, IsClusterMode: o.Cluster, DB: o.DB, TLSConfig: o.TLS,
		Username: o.Username, Password: o.Password.Reveal(),
		DialTimeout: tryTimeout, ReadTimeout: tryTimeout, WriteTimeout: tryTimeout, ContextTimeoutEnabled: true,
		MaxRetries: retries, MaxRetryBackoff: longestWait,
		ClientName: clientName,
		// Only a hosted Redis of its makers tells of its upkeep; others are asked in vain at each connection.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	// go-redis writes to stderr, in a form of its own and for each call, what its
	// errors say too. It does so for all clients of the process, and so this ends it.
	logging.Disable()
	if o.Master == "" {
		return redis.NewUniversalClient(all), nil
	}
	finder := newSentinels(o)
	all.Dialer = finder.dial
	return redis.NewClient(all.Simple()), finder
}

// Start connects. It fails where Redis can't be reached or is too old, and
// warns where its settings may lose what it was given.
func (s *Store) Start(ctx context.Context) error {
	if err := s.version(ctx); err != nil {
		return err
	}
	s.warn(ctx)
	n, err := s.counted(ctx, true)
	if err != nil {
		return fmt.Errorf("redis: %s: %w", strings.Join(s.o.Addrs, ","), err)
	}
	s.heard.Store(n)
	subscription, err := s.subscribe(ctx)
	if err != nil {
		return err
	}
	s.health.start()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	s.running.Go(func() { s.listen(ctx, subscription) })
	if s.finder != nil {
		for _, c := range s.finder.clients {
			s.running.Go(func() { s.finder.follow(ctx, c) })
		}
	}
	s.running.Go(func() { s.look(ctx) })
	s.running.Go(func() { s.janitor(ctx) })
	watchers.Signal(s.ready)
	return nil
}

// version refuses a Redis that lacks what the scripts use.
func (s *Store) version(ctx context.Context) error {
	const oldest = 7
	info, err := s.client.Info(ctx, "server").Result()
	if err != nil {
		return fmt.Errorf("redis: %s can't be used: %w", strings.Join(s.o.Addrs, ","), err)
	}
	_, version, _ := strings.Cut(info, "redis_version:")
	version, _, _ = strings.Cut(version, "\r\n")
	var major int
	if _, err := fmt.Sscanf(version, "%d.", &major); err != nil || major < oldest {
		return fmt.Errorf("redis: %s is Redis %q; version %d or later is needed", strings.Join(s.o.Addrs, ","), version, oldest)
	}
	return nil
}

// warn tells of settings that lose data. Hosted servers may not tell theirs.
func (s *Store) warn(ctx context.Context) {
	for _, setting := range []struct{ name, want, why string }{
		{"maxmemory-policy", "noeviction", "a full Redis drops entries instead of refusing them"},
		{"appendonly", "yes", "what was accepted since the last snapshot is lost when Redis ends"},
	} {
		found, err := s.client.ConfigGet(ctx, setting.name).Result()
		switch value := found[setting.name]; {
		case err != nil || value == "":
			s.o.Logger.Info("redis does not tell a setting", "setting", setting.name, "wanted", setting.want, "error", err)
		case value != setting.want:
			s.o.Logger.Warn("redis may lose what it was given", "setting", setting.name,
				"value", value, "wanted", setting.want, "reason", setting.why)
		}
	}
}

// Stop ends what runs and closes the connections. It may be called without
// Start, and twice.
func (s *Store) Stop(context.Context) error {
	if s.cancel != nil {
		s.cancel()
		s.running.Wait()
		s.cancel = nil
	}
	s.health.stop()
	err := s.packer.close()
	if closing := s.client.Close(); !errors.Is(closing, redis.ErrClosed) {
		err = errors.Join(err, closing)
	}
	if s.finder != nil {
		err = errors.Join(err, s.finder.close())
	}
	if err != nil {
		return fmt.Errorf("redis: closing: %w", err)
	}
	return nil
}
