package drones

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// errNoPort says that the whole range is in use.
var errNoPort = errors.New("no free port")

// ports hands out the ports of a range.
type ports struct {
	first, last int

	mu   sync.Mutex
	used map[int]bool
}

// take returns a port that nobody listens on. The search begins anywhere, so
// that two servers on one machine seldom meet.
func (p *ports) take(ctx context.Context) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	count := p.last - p.first + 1
	begin := rand.IntN(count) //nolint:gosec // spreads, hides nothing
	for i := range count {
		port := p.first + (begin+i)%count
		if !p.used[port] && free(ctx, port) {
			p.used[port] = true
			return port, nil
		}
	}
	return 0, fmt.Errorf("%w between %d and %d", errNoPort, p.first, p.last)
}

func (p *ports) release(port int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.used, port)
}

// free tells whether port could be bound on all addresses, as many apps do.
func free(ctx context.Context, port int) bool {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", ":"+strconv.Itoa(port))
	return err == nil && l.Close() == nil
}

// owns tells whether one of the processes has a socket that listens on port.
// Without that look a stranger who took the port between our look and the
// drone's bind would get the app's requests.
func owns(pids []int, port int) bool {
	sockets := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		listeners(table, port, sockets)
	}
	for _, pid := range pids {
		dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
		fds, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			if target, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil && sockets[target] {
				return true
			}
		}
	}
	return false
}

// listeners adds the sockets that listen on port, as /proc/PID/fd names them
// (proc_pid_net(5): the fields are sl, local_address, rem_address, st, …, and
// the tenth is the inode; state 0A is LISTEN).
func listeners(table string, port int, sockets map[string]bool) {
	file, err := os.Open(table) //nolint:gosec // one of two constants
	if err != nil {
		return
	}
	suffix := fmt.Sprintf(":%04X", port)
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) > 9 && fields[3] == "0A" && strings.HasSuffix(fields[1], suffix) {
			sockets["socket:["+fields[9]+"]"] = true
		}
	}
	_ = file.Close() // only read
}
