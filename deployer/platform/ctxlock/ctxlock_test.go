package ctxlock_test

import (
	"context"
	"errors"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/ctxlock"
)

func TestLock(t *testing.T) {
	t.Parallel()
	ended, end := context.WithCancel(t.Context())
	end()
	for n := 1; n <= 2; n++ {
		l := ctxlock.New(n)
		for i := range n {
			if l.Held() {
				t.Errorf("a lock for %d is held by %d", n, i)
			}
			if err := l.Acquire(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if !l.Held() || l.TryAcquire() {
			t.Errorf("a lock for %d is free", n)
		}
		if err := l.Acquire(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("waiting for the lock: %v", err)
		}
		l.Release()
		if !l.TryAcquire() {
			t.Error("the lock is held after its release")
		}
	}
}
