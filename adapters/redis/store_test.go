package redis_test

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/redis"
	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
	"github.com/nodejitsu/webhooks/core/coretest"
)

// open starts a Store with o and stops it at the end of the test.
func open(t testing.TB, o redis.Options) *redis.Store {
	t.Helper()
	s := redis.New(o)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return s
}

// suite runs the suite of all stores, each test with a prefix of its own.
func suite(t *testing.T, o redis.Options) {
	t.Helper()
	var opened sync.Map // of Store to Options
	coretest.TestStore(t, coretest.Harness{
		New: func(t *testing.T, now func() time.Time) coretest.Store {
			o := o
			o.Prefix, o.Now, o.MaxChanges, o.CallTimeout = rand.Text(), now, 50, time.Minute // only a hang reaches it
			s := open(t, o)
			opened.Store(s, o)
			return s
		},
		Restart: func(t *testing.T, s coretest.Store) coretest.Store {
			if err := s.(*redis.Store).Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			o, _ := opened.Load(s)
			again := open(t, o.(redis.Options))
			opened.Store(again, o)
			return again
		},
		Clean: func(t *testing.T, s coretest.Store) error { return s.(*redis.Store).Sweep(t.Context()) },
	})
}

func TestStore(t *testing.T) {
	t.Parallel()
	suite(t, redis.Options{Addrs: []string{redistest.Start(t).Addr}})
}
