package processes

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/nodejitsu/webhooks/httpapi/serve/peercred"
)

// errNoPort means that the whole range is in use.
var errNoPort = errors.New("no free port")

// ports allocates the ports of a range.
type ports struct {
	first, last int

	mu   sync.Mutex
	used map[int]bool
}

// acquire returns a free port, which another program may still bind.
func (p *ports) acquire(ctx context.Context) (int, error) {
	return p.search(func(port int) bool { return free(ctx, port) })
}

// listen listens on a port of the loopback interface.
func (p *ports) listen(ctx context.Context) (l net.Listener, port int, err error) {
	port, err = p.search(func(port int) bool {
		var config net.ListenConfig
		bound, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		l = bound
		return err == nil
	})
	return l, port, err
}

// search returns the first unused port for which take returns true. It begins at a
// random port, so that two servers on one machine rarely conflict.
func (p *ports) search(take func(port int) bool) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	count := p.last - p.first + 1
	begin := rand.IntN(count) //nolint:gosec // not used for security
	for i := range count {
		port := p.first + (begin+i)%count
		if !p.used[port] && take(port) {
			p.used[port] = true
			return port, nil
		}
	}
	return 0, fmt.Errorf("%w between %d and %d", errNoPort, p.first, p.last)
}

// use marks the port of a drone that runs already.
func (p *ports) use(port int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used[port] = true
}

func (p *ports) release(port int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.used, port)
}

// free reports whether port can be bound on all addresses, as many apps do.
func free(ctx context.Context, port int) bool {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", ":"+strconv.Itoa(port))
	return err == nil && l.Close() == nil
}

// owns reports whether one of the processes has a socket that listens on port.
// Without this check a program that binds the port after acquire and before the
// drone would receive the app's requests.
func owns(pids []int, port int) bool {
	listeners, err := peercred.Listeners(uint16(port)) //nolint:gosec // a port
	if err != nil {
		return false
	}
	sockets := map[string]bool{} // by inode
	for _, l := range listeners {
		sockets[strconv.FormatUint(uint64(l.Inode), 10)] = true
	}
	for _, pid := range pids {
		for inode := range socketsOf(filepath.Join("/proc", strconv.Itoa(pid))) {
			if sockets[inode] {
				return true
			}
		}
	}
	return false
}
