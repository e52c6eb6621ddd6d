package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/nodejitsu/webhooks/adapters/internal/availability"
	"github.com/nodejitsu/webhooks/adapters/internal/batch"
	"github.com/nodejitsu/webhooks/adapters/internal/watchers"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/status"
)

// Store is the store in Redis. Its methods may be called concurrently between
// Start and Stop.
type Store struct {
	o       Options
	client  redis.UniversalClient
	finder  *sentinels // nil: no Sentinels
	scripts map[string]*redis.Script
	packer  *packer
	ready   chan struct{}
	doubts  chan struct{} // receives after a call without an answer

	waiting  *batch.Queue[*delivery]
	sending  atomic.Int64 // calls for deliveries in progress
	overload *availability.State

	cancel  context.CancelFunc // of the goroutines
	running sync.WaitGroup

	watchers watchers.Watchers
	highest  atomic.Int64 // Order that this process has seen
	heard    atomic.Int64 // the number of all changes, as far as known
	lost     unanswered
	health   health
	theirs   serverClock
	now      func() time.Time // by the local clock
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
		ready: make(chan struct{}, 1), doubts: make(chan struct{}, 1), health: health{outage: &availability.State{
			Logger: o.Logger,
			Begins: "redis is unavailable; deliveries are refused until it is back",
			Lasts:  "redis is still unavailable",
			Ends:   "redis is available again",
		}},
		waiting: batch.New[*delivery](o.MaxWaiting, o.MaxWaitingBytes),
		overload: &availability.State{
			Logger: o.Logger, Minor: true,
			Begins: "the store is overloaded; deliveries are refused",
			Lasts:  "the store is still overloaded",
			Ends:   "the store is not overloaded any more",
		},
		theirs: serverClock{began: time.Now()}, now: now,
	}
}

var errNotStarted = errors.New("redis: the store was not started, or was stopped")

const (
	retries     = 3
	longestWait = 300 * time.Millisecond // between two attempts
)

const clientName = "webhooks"

// newClient returns the client, and the finder of the master if there are Sentinels.
func newClient(o Options) (redis.UniversalClient, *sentinels) {
	all := &redis.UniversalOptions{
		Addrs: o.Addrs, IsClusterMode: o.Cluster, DB: o.DB, TLSConfig: o.TLS,
		Username: o.Username, Password: o.Password.Reveal(),
		DialTimeout: o.tryTimeout(), ReadTimeout: o.tryTimeout(), WriteTimeout: o.tryTimeout(), ContextTimeoutEnabled: true,
		MaxRetries: retries, MaxRetryBackoff: longestWait,
		ClientName: clientName,
		// Only Redis Cloud and Redis Enterprise announce maintenance; other servers reject the request.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	// go-redis also logs its errors to stderr, for each call. This turns it off for all
	// clients of the process.
	logging.Disable()
	if o.Master == "" {
		return redis.NewUniversalClient(all), nil
	}
	finder := newSentinels(o)
	all.Dialer = finder.dial
	return redis.NewClient(all.Simple()), finder
}

// Start connects. If Redis is not available, or still loads its data, Start succeeds,
// and Check and all calls fail until Redis is available. Start fails if the settings
// are wrong: if Redis refuses the password or the user, has another certificate, or
// is too old.
func (s *Store) Start(ctx context.Context) error {
	s.health.setRunning(true)
	n, err := s.counted(ctx)
	if misconfigured(err) || err != nil && expired(ctx) {
		s.health.setRunning(false)
		return fmt.Errorf("redis: connecting to %s: %w", strings.Join(s.o.Addrs, ","), err)
	}
	s.heard.Store(n)
	if err != nil {
		s.health.outage.Begin(err)
	}
	subscription := s.subscribe(ctx)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	s.waiting.Open()
	for range senders {
		s.running.Go(func() { s.sender(ctx) })
	}
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

// misconfigured reports whether err is due to wrong settings, so that waiting does
// not help.
func misconfigured(err error) bool {
	for _, prefix := range []string{
		"WRONGPASS", "NOAUTH", "NOPERM", "AUTH", "invalid password", "DB index", "MOVED", "This instance has cluster support disabled",
	} {
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return errors.Is(err, errVersion) || errors.As(err, &certificate) || errors.As(err, &record)
}

// Stop ends the goroutines and closes the connections. It may be called without
// Start, and twice.
func (s *Store) Stop(context.Context) error {
	for _, d := range s.waiting.Close() {
		d.answer <- answer{err: errNotStarted}
	}
	if s.cancel != nil {
		s.cancel()
		s.running.Wait()
		s.cancel = nil
	}
	s.health.setRunning(false)
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
