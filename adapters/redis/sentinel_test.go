package redis_test

import (
	"testing"

	"github.com/nodejitsu/webhooks/adapters/redis"
	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
)

// What Sentinels watch over does all that a server of its own does.
func TestSentinel(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t)
	suite(t, redis.Options{Addrs: s.Addrs(), Master: s.Name})
}
