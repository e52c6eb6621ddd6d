package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/nodejitsu/webhooks/adapters/internal/watchers"
)

// lookEvery is how often is looked for what no message told.
const lookEvery = 2 * time.Second

// Watch implements deploy.Watcher and status.Feed.
func (s *Store) Watch(user string) (<-chan struct{}, func()) { return s.watchers.Watch(user) }

// subscribe returns a subscription that stands, to changes and ready.
func (s *Store) subscribe(ctx context.Context) (*redis.PubSub, error) {
	subscription := s.client.Subscribe(ctx, s.base()+"changes", s.base()+"ready")
	for range 2 {
		if _, err := subscription.Receive(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("redis: subscribing: %w", err), subscription.Close())
		}
	}
	return subscription, nil
}

// listen wakes by the messages, until ctx ends. go-redis connects again where
// the connection is lost, and says so.
func (s *Store) listen(ctx context.Context, subscription *redis.PubSub) {
	defer subscription.Close() //nolint:errcheck // nothing was written to it
	messages := subscription.ChannelWithSubscriptions()
	for {
		var message any
		select {
		case message = <-messages:
		case <-ctx.Done():
			return
		}
		switch m := message.(type) {
		case *redis.Subscription:
			s.wakeAll() // what was said before is not known
		case *redis.Message:
			if m.Channel == s.base()+"ready" {
				watchers.Signal(s.ready)
				continue
			}
			count, user, _ := strings.Cut(m.Payload, " ")
			n, _ := strconv.ParseInt(count, 10, 64) // our own script wrote it
			if before := s.heard.Swap(n); n == before+1 {
				s.watchers.Wake(user)
			} else {
				s.wakeAll() // some were lost
			}
		}
	}
}

// look finds out, every now and then and after a call that failed, whether Redis can be used, and whether
// there were changes that no message told of.
func (s *Store) look(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.doubts:
		case <-ctx.Done():
			return
		}
		_ = s.probe(ctx) // it tells the log
	}
}

// written wakes those in this process at once; the message will find them awake.
func (s *Store) written(user string) {
	s.watchers.Wake(user)
	watchers.Signal(s.ready)
}

// wakeAll is for when it is not known who has a change.
func (s *Store) wakeAll() {
	s.watchers.WakeAll()
	watchers.Signal(s.ready)
}
