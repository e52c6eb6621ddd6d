package redis_test

import (
	"testing"

	"github.com/nodejitsu/webhooks/adapters/redis"
	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
)

// A Cluster does all that one server does. Each test of the suite has another
// prefix, and so they are spread over the nodes.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t)
	suite(t, redis.Options{Addrs: c.Addrs(), Cluster: true})
}
