package bolt_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/bolt"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

func benchStore(b *testing.B, o bolt.Options) *bolt.Store {
	b.Helper()
	o.Path = filepath.Join(b.TempDir(), "store.db")
	s := bolt.New(o)
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Stop(b.Context()); err != nil {
			b.Error(err)
		}
	})
	return s
}

// Accepting by one caller costs a sync each; 64 callers share them.
func BenchmarkAccept(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := benchStore(b, bolt.Options{})
			payload := make([]byte, 8<<10)
			var n atomic.Int64
			b.SetParallelism(max(1, callers/runtime.GOMAXPROCS(0)))
			if callers == 1 {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			}
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					id := idAt(time.Now(), int(n.Add(1)))
					_, _, err := s.Accept(b.Context(), deploy.Acceptance{Entry: entry("me", id), Payload: payload, Key: id, Place: &deploy.Place{Lane: id}})
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

func BenchmarkReadFeed(b *testing.B) {
	const changes = 10_000
	s := benchStore(b, bolt.Options{MaxChanges: changes})
	c, _, err := s.Accept(b.Context(), deploy.Acceptance{Entry: entry("me", idAt(time.Now(), 1))})
	for range changes - 1 {
		if err == nil {
			c, err = s.Finish(b.Context(), c.Entry, 0)
		}
	}
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		read, since := 0, core.Seq{}
		for {
			page, err := s.Changes(b.Context(), "me", since, 500)
			if err != nil {
				b.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			read += len(page)
			since = page[len(page)-1].Seq
		}
		if read != changes {
			b.Fatalf("read %d", read)
		}
	}
}
