package redis_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nodejitsu/webhooks/adapters/redis"
	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// payload is as large as GitHub's for a push of one commit, and as compressible.
func payload() []byte {
	var out bytes.Buffer
	for i := 0; out.Len() < 7700; i++ {
		fmt.Fprintf(&out, `"name_%d_url":"https://api.github.com/repos/owner/repo/things{/%x}",`, i, i*2654435761)
	}
	return out.Bytes()
}

// push returns the acceptance of a push, as in production.
func push(n int64, lane string, payload []byte) deploy.Acceptance {
	e := newEntry("me")
	e.App, e.UUID, e.Event = "", e.ID, "push"
	e.DeliveryID = fmt.Sprintf("72d3162e-cc78-11e3-81ab-%012x", n*2654435761%(1<<48))
	e.Ref, e.Branch, e.DeployBranch = "refs/heads/main", "main", "main"
	e.Repository.URL, e.Repository.DefaultBranch = "https://github.com/owner/repo", "main"
	e.Commit = core.Commit{
		ID: e.Commit.ID, Message: "Fix the thing that was broken", URL: "https://github.com/owner/repo/commit/1",
		Author: core.Person{Name: "A", Email: "a@example.com", Username: "a"}, Timestamp: e.CreatedAt,
	}
	e.Payload, e.Signature, e.Authentic = core.PayloadDigest{SHA256: fmt.Sprintf("%064x", n), Size: len(payload)}, core.SignatureValid, true
	return deploy.Acceptance{Entry: e, Payload: payload, Key: "github " + e.DeliveryID, Place: &deploy.Place{Lane: lane}}
}

// together calls do b.N times, by that many callers. It also reports the CPU time of
// this process and of Redis.
func together(b *testing.B, server *redistest.Server, callers int, do func(n int64) error) {
	b.Helper()
	var n atomic.Int64
	var group sync.WaitGroup
	ours, theirs := processors(b, os.Getpid()), processors(b, server.Pid())
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
	b.ReportMetric(float64(processors(b, os.Getpid())-ours)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(processors(b, server.Pid())-theirs)/float64(b.N), "redis-ns/op")
}

// processors returns the CPU time that a process has used.
func processors(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	var used time.Duration
	for _, ticks := range fields[11:13] { // utime and stime, in hundredths of a second
		n, err := strconv.Atoi(ticks)
		if err != nil {
			b.Fatal(err)
		}
		used += time.Duration(n) * 10 * time.Millisecond
	}
	return used
}

func BenchmarkAccept(b *testing.B) {
	text := payload()
	for _, fsync := range []string{"everysec", "always"} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("fsync=%s/callers=%d", fsync, callers), func(b *testing.B) {
				server := redistest.Start(b, "--appendfsync", fsync)
				s := open(b, redis.Options{Addrs: []string{server.Addr}})
				together(b, server, callers, func(n int64) error {
					_, _, err := s.Accept(b.Context(), push(n, fmt.Sprintf("me/owner/repo-%d@main", n%1000), text))
					return err
				})
			})
		}
	}
}

// The lower bound of BenchmarkAccept: one pipeline for all waiting pushes, and one SET
// for each.
func BenchmarkFloor(b *testing.B) {
	text := payload()
	for _, fsync := range []string{"everysec", "always"} {
		b.Run(fmt.Sprintf("fsync=%s/callers=64", fsync), func(b *testing.B) {
			server := redistest.Start(b, "--appendfsync", fsync)
			client := goredis.NewClient(&goredis.Options{Addr: server.Addr})
			defer client.Close() //nolint:errcheck // of a benchmark
			waiting := make(chan chan error, 64)
			go func() {
				for first := range waiting {
					group := []chan error{first}
					for len(waiting) > 0 {
						group = append(group, <-waiting)
					}
					_, err := client.Pipelined(b.Context(), func(p goredis.Pipeliner) error {
						for range group {
							p.Set(b.Context(), fmt.Sprint("{k}", last.Add(1)), text, 0)
						}
						return nil
					})
					for _, done := range group {
						done <- err
					}
				}
			}()
			together(b, server, 64, func(int64) error {
				done := make(chan error, 1)
				waiting <- done
				return <-done
			})
			close(waiting)
		})
	}
}

// The cost of a push into a lane does not depend on the number of entries that wait.
func BenchmarkLane(b *testing.B) {
	for _, waiting := range []int64{0, 10_000} {
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			server := redistest.Start(b)
			s := open(b, redis.Options{Addrs: []string{server.Addr}})
			var group sync.WaitGroup
			for caller := range int64(256) {
				group.Go(func() {
					for n := caller; n < waiting; n += 256 {
						if _, _, err := s.Accept(b.Context(), push(n+1<<32, "lane", nil)); err != nil {
							b.Error(err)
						}
					}
				})
			}
			group.Wait()
			together(b, server, 64, func(n int64) error {
				if _, _, err := s.Accept(b.Context(), push(n, "lane", nil)); err != nil {
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

// The time from a change of one process until all watchers at another are woken.
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
