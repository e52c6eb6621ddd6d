// Package conns bounds how many connections a listener holds at a time, in all
// and from one address.
//
// A process may open so many files, and a connection is one. Without a bound
// whoever connects often enough takes them all, and no port of the process, no
// database and no app can be used any more.
package conns

import (
	"cmp"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
)

// Share is a part of the files that a process may open: 1/8 is Share(8).
type Share uint64

// The shares of the program's listeners. A connection to an app goes on to the
// app, and needs two files. What is left is for all else.
const (
	OfAPI      Share = 2  // the webhooks API, with its feeds
	OfApps     Share = 8  // where apps are reached
	OfPlatform Share = 16 // the platform's API
)

// most is how many connections a share is at most, for the memory they take.
const most = 1 << 16

// Local returns the addresses of this machine's own programs: a proxy, the
// server itself. Apps have as many of them as they like, so no bound holds
// these apart.
func Local() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// Connections returns how many connections the share is.
func (s Share) Connections() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return most
	}
	return int(min(max(limit.Cur/uint64(s), 1), most)) //nolint:gosec // it is no more than most
}

// Options are what [Limit] takes; Total is required.
type Options struct {
	Total  int            // connections at a time; further ones wait until one ends
	Each   int            // of one address; further ones are closed; default: a quarter of Total
	Exempt []netip.Prefix // addresses that stand for many, such as proxies; for them Total alone holds
	Logger *slog.Logger   // default: discards
}

// Limit returns a listener for TCP that accepts from l within the bounds.
func Limit(l net.Listener, o Options) net.Listener {
	o.Each = cmp.Or(o.Each, max(1, o.Total/4))
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &listener{
		Listener: l, o: o, places: make(chan struct{}, o.Total),
		closed: make(chan struct{}), open: map[netip.Prefix]int{}, told: map[netip.Prefix]bool{},
	}
}

type listener struct {
	net.Listener
	o      Options
	places chan struct{} // one for each connection that there may be
	closed chan struct{}
	once   sync.Once

	mu   sync.Mutex
	open map[netip.Prefix]int  // connections by who has them
	told map[netip.Prefix]bool // of whom the log tells that there are too many
}

// Accept waits for a connection, and for a place for it.
func (l *listener) Accept() (net.Conn, error) {
	for {
		select {
		case l.places <- struct{}{}:
		case <-l.closed:
			return nil, net.ErrClosed
		}
		accepted, err := l.Listener.Accept()
		if err != nil {
			<-l.places
			return nil, err
		}
		peer := peerOf(accepted.RemoteAddr())
		tcp, ok := accepted.(*net.TCPConn)
		if !ok || !l.enter(peer) {
			<-l.places
			_ = accepted.Close() // nobody is served
			continue
		}
		return &conn{TCPConn: tcp, leave: sync.OnceFunc(func() {
			l.exit(peer)
			<-l.places
		})}, nil
	}
}

// Close closes the listener; what it has accepted stays.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// enter counts a connection of peer; false says that it has enough of them.
func (l *listener) enter(peer netip.Prefix) bool {
	if slices.ContainsFunc(l.o.Exempt, func(p netip.Prefix) bool { return p.Contains(peer.Addr()) }) {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[peer] < l.o.Each {
		l.open[peer]++
		return true
	}
	if !l.told[peer] {
		l.told[peer] = true
		l.o.Logger.Warn("too many connections of one address", "listen", l.Addr().String(), "address", peer.String(), "limit", l.o.Each)
	}
	return false
}

func (l *listener) exit(peer netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch l.open[peer] {
	case 0: // it is exempt
	case 1:
		delete(l.open, peer)
		delete(l.told, peer)
	default:
		l.open[peer]--
	}
}

// peerOf returns whose an address is: of IPv6 everybody has a whole network.
func peerOf(address net.Addr) netip.Prefix {
	at, err := netip.ParseAddrPort(address.String())
	if err != nil {
		return netip.Prefix{}
	}
	ip, bits := at.Addr().Unmap().WithZone(""), 64
	if ip.Is4() {
		bits = 32
	}
	return netip.PrefixFrom(ip, bits)
}

// conn gives its place back. It stays a TCP connection, of which net/http can
// close one direction.
type conn struct {
	*net.TCPConn
	leave func()
}

// Close closes the connection.
func (c *conn) Close() error {
	defer c.leave()
	return c.TCPConn.Close()
}
