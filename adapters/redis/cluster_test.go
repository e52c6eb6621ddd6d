package redis_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/redis"
	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
	"github.com/nodejitsu/webhooks/core"
)

// The suite passes on a Cluster. Each of its tests has another prefix, so they use all
// nodes.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t)
	t.Run("suite", func(t *testing.T) {
		t.Parallel()
		t.Cleanup(func() {
			for _, n := range c.Nodes {
				if len(n.Keys()) == 0 {
					t.Errorf("%s was not used", n.Addr)
				}
			}
		})
		suite(t, redis.Options{Addrs: c.Addrs(), Cluster: true})
	})
	t.Run("ACL", func(t *testing.T) {
		t.Parallel()
		for _, n := range c.Nodes {
			n.Do("ACL", "SETUSER", "webhooks", "on", ">secret", "~{webhooks}:*", "&{webhooks}:*", "+@all", "-@dangerous", "+info", "+config|get", "+bgrewriteaof")
		}
		use(t, open(t, redis.Options{Addrs: c.Addrs()[:1], Cluster: true, Username: "webhooks", Password: core.NewSecret("secret")}))
	})
}

// The node that has the keys is killed and restarted: accepted deliveries are there
// and each change is seen once, without a restart of the Store.
func TestClusterNodeKilled(t *testing.T) {
	t.Parallel()
	c, j := redistest.StartCluster(t, "--appendfsync", "always"), newJournal()
	s := open(t, redis.Options{Addrs: c.Addrs(), Cluster: true, MaxChanges: manyChanges, Logger: j.logger()})
	other := open(t, redis.Options{Addrs: c.Addrs(), Cluster: true, MaxChanges: manyChanges})
	f := startFlow(t, always, s, other)
	f.more(50)
	owner := c.Owner("{webhooks}:")
	owner.Kill()
	j.until(1, broken)
	owner.Restart()
	c.Settle()
	j.until(1, recovered)
	f.more(50)
	f.end(false)
	j.want(t, 0, lost)
}

// The slot of the keys is moved to another node while it is in use. While each node has
// some of them, calls are refused, and none is done partially.
func TestClusterSlotMoves(t *testing.T) {
	t.Parallel()
	c, j := redistest.StartCluster(t), newJournal()
	s := open(t, redis.Options{Addrs: c.Addrs(), Cluster: true, MaxChanges: manyChanges, Logger: j.logger()})
	other := open(t, redis.Options{Addrs: c.Addrs(), Cluster: true, MaxChanges: manyChanges})
	f := startFlow(t, always, s, other)
	f.more(50)
	from := c.Owner("{webhooks}:")
	to := c.Nodes[(slices.Index(c.Nodes, from)+1)%len(c.Nodes)]
	c.Move("{webhooks}:", to, func() {
		f.refused("TRYAGAIN")
		j.until(1, broken)
	})
	j.until(1, recovered)
	f.more(50)
	f.end(false)
	j.want(t, 0, lost)
	if got := c.Owner("{webhooks}:"); got != to {
		t.Errorf("%s has the keys, want %s", got.Addr, to.Addr)
	}
	if keys := from.Keys(); slices.ContainsFunc(keys, func(key string) bool { return strings.HasPrefix(key, "{webhooks}:") }) {
		t.Errorf("%s still has %d keys", from.Addr, len(keys))
	}
}
