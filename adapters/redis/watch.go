package redis

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/nodejitsu/webhooks/adapters/internal/watchers"
)

// lookEvery is the time between two probes.
const lookEvery = 2 * time.Second

// Watch implements deploy.Watcher and status.Feed.
func (s *Store) Watch(user string) (<-chan struct{}, func()) { return s.watchers.Watch(user) }

// subscribe subscribes to changes and ready. It waits for Redis to confirm that,
// so that no message is missed; go-redis retries if Redis does not.
func (s *Store) subscribe(ctx context.Context) *redis.PubSub {
	subscription := s.client.Subscribe(ctx, s.base()+"changes", s.base()+"ready")
	for range 2 {
		if _, err := subscription.ReceiveTimeout(ctx, s.o.tryTimeout()); err != nil {
			break
		}
	}
	return subscription
}

// listen wakes watchers by the messages until ctx ends. If the connection is lost,
// go-redis connects again and sends a *redis.Subscription.
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
			s.wakeAll() // messages may have been lost
		case *redis.Message:
			if m.Channel == s.base()+"ready" {
				watchers.Signal(s.ready)
				continue
			}
			s.announced(m.Payload)
		}
	}
}

// announced wakes the watchers of the users in a message. The message has the number
// of all changes, how many are new, and their users.
func (s *Store) announced(message string) {
	words := strings.Split(message, " ")
	if len(words) < 3 {
		s.wakeAll()
		return
	}
	n, _ := strconv.ParseInt(words[0], 10, 64) // a script wrote it
	changes, _ := strconv.ParseInt(words[1], 10, 64)
	if before := s.heard.Swap(n); n != before+changes {
		s.wakeAll() // messages were lost
		return
	}
	for _, user := range words[2:] {
		s.watchers.Wake(user)
	}
}

// look probes Redis at intervals, and after a call that failed, until ctx ends.
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
		_ = s.probe(ctx) // it logs an outage
	}
}

// written wakes the watchers in this process at once, before the message does.
func (s *Store) written(user string) {
	s.watchers.Wake(user)
	watchers.Signal(s.ready)
}

// wakeAll wakes all watchers, if it is not known which users have changes.
func (s *Store) wakeAll() {
	s.watchers.WakeAll()
	watchers.Signal(s.ready)
}
