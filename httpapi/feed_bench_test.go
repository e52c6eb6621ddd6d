package httpapi_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/status"
	"github.com/nodejitsu/webhooks/httpapi"
	server "github.com/nodejitsu/webhooks/httpapi/serve"
)

// feedServer returns the address of a server with feeds over l.
func feedServer(b *testing.B, l *changeLog) string {
	b.Helper()
	s := status.New(status.Options{Feed: l})
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	api := httpapi.New(httpapi.Options{Status: s, Auth: fakeAuth{}, Deploy: fakeDeploy{}, NewUUID: func() string { return uuid }})
	srv := server.New(server.Options{Name: "listen", Addr: "127.0.0.1:0"})
	if err := srv.Listen(b.Context()); err != nil {
		b.Fatal(err)
	}
	srv.Serve(api.Handler())
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		api.EndFeeds(ctx)
		if err := srv.Stop(ctx); err != nil {
			b.Error(err)
		}
		if err := s.Stop(ctx); err != nil {
			b.Error(err)
		}
	})
	return srv.Addr()
}

// subscribeAll opens n feeds, of which the headers have come.
func subscribeAll(b *testing.B, addr string, n int) []net.Conn {
	b.Helper()
	conns := make([]net.Conn, n)
	for i := range conns {
		c, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.WriteString(c, "GET /1/status/dscape/changes HTTP/1.1\r\nHost: x\r\n"+as("dscape")+"\r\n\r\n"); err != nil {
			b.Fatal(err)
		}
		conns[i] = c
	}
	var head [4096]byte
	for _, c := range conns {
		n := 0
		for !bytes.Contains(head[:n], []byte("\r\n\r\n")) {
			more, err := c.Read(head[n:])
			if err != nil {
				b.Fatalf("%v after %q", err, head[:n])
			}
			n += more
		}
	}
	return conns
}

func closeAll(conns []net.Conn) {
	for _, c := range conns {
		_ = c.Close()
	}
}

// BenchmarkFeedBurst writes changes as fast as a store could to many readers.
// An operation is one change for one reader.
func BenchmarkFeedBurst(b *testing.B) {
	for _, n := range []int{1, 1000, 5000} {
		b.Run(fmt.Sprintf("readers=%d", n), func(b *testing.B) {
			l := &changeLog{}
			conns := subscribeAll(b, feedServer(b, l), n)
			defer closeAll(conns)
			changes := max(b.N/n, 1)
			b.ResetTimer()
			var readers sync.WaitGroup
			for _, c := range conns {
				readers.Go(func() {
					buffer := make([]byte, 32<<10)
					for seen := 0; seen < changes; {
						m, err := c.Read(buffer)
						if err != nil {
							b.Errorf("after %d changes: %v", seen, err)
							return
						}
						seen += bytes.Count(buffer[:m], []byte("}\n"))
					}
				})
			}
			for i := range changes {
				l.add(uint64(i+1), core.StatusOK, nil)
			}
			readers.Wait()
			b.ReportMetric(float64(changes*n)/b.Elapsed().Seconds(), "changes/s")
		})
	}
}

// BenchmarkFeedConnect opens feeds; an operation is one. It also reports the
// memory that an idle one takes.
func BenchmarkFeedConnect(b *testing.B) {
	addr := feedServer(b, &changeLog{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ResetTimer()
	conns := subscribeAll(b, addr, b.N)
	b.StopTimer()
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse)/float64(b.N), "B/reader")
	closeAll(conns)
}
