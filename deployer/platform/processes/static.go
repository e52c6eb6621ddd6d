package processes

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/deployer/platform/site"
)

// program is what a drone is: a group of processes, or the server of a static site.
type program interface {
	Pid() int
	Exited() <-chan struct{}
	Members() ([]int, error)
	End(ctx context.Context, grace time.Duration) error
	OutOfMemory() bool
}

var (
	_ program = (*group.Group)(nil)
	_ program = (*staticServer)(nil)
)

// staticServer serves a static site, in the server's own process.
type staticServer struct {
	server http.Server
	site   *site.Site
	exited chan struct{} // closed when it no longer listens
	end    func() error
}

// idleTimeout is how long the router may keep a connection that it does not use.
const idleTimeout = time.Minute

// serveStatic serves the site of v on a listener, which it closes in the end.
func serveStatic(v runner.Version, l net.Listener) (*staticServer, error) {
	files, err := site.New(v.Static, v.Fallback)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s := &staticServer{site: files, exited: make(chan struct{})}
	s.server = http.Server{Handler: files, ReadHeaderTimeout: idleTimeout, IdleTimeout: idleTimeout}
	s.end = sync.OnceValue(files.Close)
	go func() {
		defer close(s.exited)
		_ = s.server.Serve(l) // ends by End, or its port is checked like any other
	}()
	return s, nil
}

// Pid returns the server's own.
func (s *staticServer) Pid() int { return os.Getpid() }

// Exited is closed when it no longer serves.
func (s *staticServer) Exited() <-chan struct{} { return s.exited }

// Members returns no processes.
func (s *staticServer) Members() ([]int, error) { return nil, nil }

// OutOfMemory returns false.
func (s *staticServer) OutOfMemory() bool { return false }

// End stops the server once its requests have ended, or after grace or when ctx ends.
func (s *staticServer) End(ctx context.Context, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if s.server.Shutdown(ctx) != nil {
		_ = s.server.Close() // requests that remain are aborted
	}
	<-s.exited
	return s.end()
}
