package bolt_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/adapters/bolt"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// payload is as large as GitHub's for a push of one commit.
var payload = make([]byte, 7700) //nolint:gochecknoglobals // only read

func benchStore(b *testing.B, o bolt.Options) *bolt.Store {
	b.Helper()
	o.Path = filepath.Join(b.TempDir(), "store.db")
	s := bolt.New(o)
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Stop(context.WithoutCancel(b.Context())); err != nil {
			b.Error(err)
		}
	})
	return s
}

// push returns the acceptance of a push, as in production.
func push(n int64, lane string) deploy.Acceptance {
	e := entry("me", idAt(time.Now(), int(n)))
	e.UUID, e.Event, e.DeliveryID = e.ID, "push", fmt.Sprintf("72d3162e-cc78-11e3-81ab-%012x", n*2654435761%(1<<48))
	e.Ref, e.Branch, e.DeployBranch = "refs/heads/main", "main", "main"
	e.Repository.URL, e.Repository.DefaultBranch = "https://github.com/owner/repo", "main"
	e.Commit = core.Commit{
		ID: fmt.Sprintf("%040x", n*2654435761%(1<<48)), Message: "Fix the thing that was broken", URL: "https://github.com/owner/repo/commit/1",
		Author: core.Person{Name: "A", Email: "a@example.com", Username: "a"}, Timestamp: e.CreatedAt,
	}
	e.Payload, e.Signature, e.Authentic = core.PayloadDigest{SHA256: fmt.Sprintf("%064x", n), Size: len(payload)}, core.SignatureValid, true
	return deploy.Acceptance{Entry: e, Payload: payload, Key: "github " + e.DeliveryID, Place: &deploy.Place{Lane: lane}}
}

// together calls do b.N times, by that many callers. It also reports the CPU time,
// which depends less on the disk and on other processes.
func together(b *testing.B, callers int, do func(n int64) error) {
	b.Helper()
	var n atomic.Int64
	var group sync.WaitGroup
	begin := cpu(b)
	b.ResetTimer()
	for range callers {
		group.Go(func() {
			for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	b.ReportMetric(float64(cpu(b)-begin)/float64(b.N), "cpu-ns/op")
}

// cpu returns the CPU time that this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// One caller waits for a sync each time; 64 callers share them.
func BenchmarkAccept(b *testing.B) {
	for name, lane := range map[string]func(n int64) string{
		"lanes=many": func(n int64) string { return fmt.Sprintf("me/owner/repo-%d@main", n%1000) },
		"lanes=one":  func(int64) string { return "me/owner/repo@main" },
	} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("callers=%d/%s", callers, name), func(b *testing.B) {
				s := benchStore(b, bolt.Options{})
				together(b, callers, func(n int64) error {
					_, _, err := s.Accept(b.Context(), push(n, lane(n)))
					return err
				})
			})
		}
	}
}

// The lower bound of BenchmarkAccept: one transaction for all waiting pushes, and
// one put for each.
func BenchmarkFloor(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			db, err := bbolt.Open(filepath.Join(b.TempDir(), "floor.db"), 0o600, nil)
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close() //nolint:errcheck // of a benchmark
			type write struct {
				key, value []byte
				done       chan error
			}
			writes := make(chan write, callers)
			go func() {
				for first := range writes {
					group := []write{first}
					for len(writes) > 0 {
						group = append(group, <-writes)
					}
					err := db.Update(func(tx *bbolt.Tx) error {
						bucket, err := tx.CreateBucketIfNotExists([]byte("b"))
						for _, w := range group {
							if err == nil {
								err = bucket.Put(w.key, w.value)
							}
						}
						return err
					})
					for _, w := range group {
						w.done <- err
					}
				}
			}()
			together(b, callers, func(n int64) error {
				w := write{fmt.Appendf(nil, "%016x", n), payload, make(chan error, 1)}
				writes <- w
				return <-w.done
			})
			close(writes)
		})
	}
}

func BenchmarkReadFeed(b *testing.B) {
	const changes = 10_000
	s := benchStore(b, bolt.Options{MaxChanges: changes})
	together(b, 64, func(int64) error { return nil })
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			for n := i; n < changes; n += 64 {
				if _, _, err := s.Accept(b.Context(), push(int64(n), "")); err != nil {
					b.Error(err)
				}
			}
		})
	}
	group.Wait()
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
	b.ReportMetric(float64(b.N*changes)/b.Elapsed().Seconds(), "changes/s")
}

// fill accepts n entries, the last of which are of the app.
func fill(b *testing.B, s *bolt.Store, n int) {
	b.Helper()
	var next atomic.Int64
	var group sync.WaitGroup
	for range 256 {
		group.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				a := push(i, "")
				a.Place, a.Payload, a.Entry.Status = nil, nil, core.StatusOK
				if i%2 == 0 {
					a.Entry.App = "app"
				}
				if _, _, err := s.Accept(b.Context(), a); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

// The cost of a page of the log does not depend on the number of entries and on its
// position.
func BenchmarkPage(b *testing.B) {
	for _, entries := range []int{1000, 100_000} {
		s := benchStore(b, bolt.Options{MaxEntries: 1 << 30, MaxChanges: 1})
		fill(b, s, entries)
		for name, page := range map[string]struct {
			app  string
			skip int
		}{"first": {"", 0}, "middle": {"", entries / 2}, "app": {"app", 0}} {
			b.Run(fmt.Sprintf("entries=%d/%s", entries, name), func(b *testing.B) {
				for b.Loop() {
					if found, _, err := s.Entries(b.Context(), "me", page.app, page.skip, 20); err != nil || len(found) != 20 {
						b.Fatal(len(found), err)
					}
				}
			})
		}
	}
}

// The cost of a push into a lane does not depend on the number of entries that wait.
func BenchmarkLane(b *testing.B) {
	for _, waiting := range []int64{0, 10_000} {
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			s := benchStore(b, bolt.Options{})
			var group sync.WaitGroup
			for caller := range int64(256) {
				group.Go(func() {
					for n := caller; n < waiting; n += 256 {
						if _, _, err := s.Accept(b.Context(), push(n+1<<32, "lane")); err != nil {
							b.Error(err)
						}
					}
				})
			}
			group.Wait()
			together(b, 64, func(n int64) error {
				if _, _, err := s.Accept(b.Context(), push(n, "lane")); err != nil {
					return err
				}
				c, found, _, err := s.Claim(b.Context(), time.Minute)
				if err != nil || !found {
					return err
				}
				_, err = s.Finish(b.Context(), c.Change.Entry, c.Attempt)
				return err
			})
		})
	}
}
