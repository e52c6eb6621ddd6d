package redis_test

import (
	"sync"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/redis"
	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
)

func BenchmarkAccept(b *testing.B) {
	b.Run("alone", func(b *testing.B) {
		s := open(b, redis.Options{Addrs: []string{redistest.Start(b).Addr}})
		for b.Loop() {
			if _, _, err := s.Accept(b.Context(), delivery(newEntry("u"))); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("64 callers", func(b *testing.B) {
		s := open(b, redis.Options{Addrs: []string{redistest.Start(b).Addr}})
		work := make(chan struct{})
		var calling sync.WaitGroup
		for range 64 {
			calling.Go(func() {
				for range work {
					if _, _, err := s.Accept(b.Context(), delivery(newEntry("u"))); err != nil {
						b.Error(err)
					}
				}
			})
		}
		for b.Loop() {
			work <- struct{}{}
		}
		close(work)
		calling.Wait()
	})
}

// A page of 100 entries in the middle of 1,000.
func BenchmarkPage(b *testing.B) {
	s := open(b, redis.Options{Addrs: []string{redistest.Start(b).Addr}})
	for range 1000 {
		accept(b, s, newEntry("u"))
	}
	for b.Loop() {
		if page, _, err := s.Entries(b.Context(), "u", "", 450, 100); err != nil || len(page) != 100 {
			b.Fatalf("%d on the page, %v", len(page), err)
		}
	}
}

// A change that one process makes, until all who watch at another are awake.
func BenchmarkFanout(b *testing.B) {
	const watchers = 2000
	addrs := []string{redistest.Start(b).Addr}
	writer, s := open(b, redis.Options{Addrs: addrs}), open(b, redis.Options{Addrs: addrs})
	var wakes []<-chan struct{}
	for range watchers {
		wake, stop := s.Watch("u")
		defer stop()
		wakes = append(wakes, wake)
	}
	for b.Loop() {
		accept(b, writer, newEntry("u"))
		for _, wake := range wakes {
			<-wake
		}
	}
}
