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
	finder  *sentinels // nil: there are none
	scripts map[string]*redis.Script
	packer  *packer
	ready   chan struct{}
	doubts  chan struct{} // receives after a call that Redis did not answer

	waiting  *batch.Queue[*delivery]
	sending  atomic.Int64 // calls for deliveries that are made at the moment
	overload *availability.State

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
		// Only Redis Cloud and Redis Enterprise announce maintenance; other servers reject the request.
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

// Start connects. If Redis is not available, as it is away or loads its data,
// Start succeeds all the same: until Redis is available, Check and all calls
// fail. Start fails if the settings are wrong: if Redis refuses the password or
// the user, has another certificate, or is too old.
func (s *Store) Start(ctx context.Context) error {
	s.health.setRunning(true)
	n, err := s.counted(ctx)
	if misconfigured(err) || err != nil && ctx.Err() != nil {
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

// misconfigured reports whether err is a fault of the settings, which waiting
// does not mend.
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

// Stop ends what runs and closes the connections. It may be called without
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
