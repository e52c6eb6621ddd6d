// Package connlimit bounds how many connections a listener has open at a time,
// in total and from one address.
//
// A process may open a limited number of files, and a connection is one.
// Without a limit, one client could use up all of them, so that no other port
// of the process, no database and no app could be used any more.
package connlimit

import (
	"cmp"
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"github.com/nodejitsu/webhooks/httpapi/serve/episode"
)

// Options are what [Listen] takes; Total is required.
type Options struct {
	Total   int // connections at a time; further ones wait until one ends
	Reserve int // connections beyond Total, which [Conn.Reserve] marks; default: none
	PerAddr int // connections from one address; further ones are closed; default: a quarter of Total

	// Exempt reports whether an address stands for many clients, such as a
	// proxy's: then PerAddr does not apply to it. Default: none does.
	Exempt func(netip.Addr) bool

	Logger *slog.Logger // default: discards
}

// Listen returns a listener for TCP that accepts connections from l within the
// limits. Each connection is a [*Conn].
func Listen(l net.Listener, o Options) net.Listener {
	o.PerAddr = cmp.Or(o.PerAddr, max(1, o.Total/4))
	if o.Exempt == nil {
		o.Exempt = func(netip.Addr) bool { return false }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	logger := o.Logger.With("listen", l.Addr().String())
	return &listener{
		Listener: l, o: o,
		slots: make(chan struct{}, o.Total), reserve: make(chan struct{}, o.Reserve),
		closed: make(chan struct{}), open: map[netip.Prefix]int{},
		full:    episode.New(logger, slog.LevelWarn, "connection limit reached"),
		refused: episode.New(logger, slog.LevelWarn, "connections refused: too many from one address"),
	}
}

type listener struct {
	net.Listener
	o       Options
	slots   chan struct{} // holds a token for each connection
	reserve chan struct{} // holds a token for each connection beyond
	closed  chan struct{}
	once    sync.Once

	mu   sync.Mutex
	open map[netip.Prefix]int // connections by address

	full, refused *episode.Episode
}

// Accept waits for a connection within the limits.
func (l *listener) Accept() (net.Conn, error) {
	for {
		slots, ok := l.acquire()
		if !ok {
			return nil, net.ErrClosed
		}
		accepted, err := l.Listener.Accept()
		if err != nil {
			<-slots
			return nil, err
		}
		if slots == l.reserve {
			slots = l.upgrade()
		}
		from := clientOf(accepted.RemoteAddr())
		tcp, ok := accepted.(*net.TCPConn)
		if !ok || !l.enter(from) {
			<-slots
			_ = accepted.Close() // refused
			continue
		}
		return &Conn{TCPConn: tcp, reserve: slots == l.reserve, release: sync.OnceFunc(func() {
			l.leave(from)
			<-slots
		})}, nil
	}
}

// acquire waits for a slot and returns where it is from; ok is false if the
// listener is closed.
func (l *listener) acquire() (slots chan struct{}, ok bool) {
	select {
	case l.slots <- struct{}{}:
		return l.slots, true
	default:
	}
	select {
	case l.slots <- struct{}{}:
		return l.slots, true
	case l.reserve <- struct{}{}:
		return l.reserve, true
	case <-l.closed:
		return nil, false
	}
}

// upgrade exchanges a slot of the reserve for one that has become free since
// the last connection.
func (l *listener) upgrade() chan struct{} {
	select {
	case l.slots <- struct{}{}:
		<-l.reserve
		return l.slots
	default:
		l.full.Add("limit", l.o.Total)
		return l.reserve
	}
}

// Close closes the listener. Connections stay open.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// enter counts a connection; it returns false if the address has too many.
func (l *listener) enter(from netip.Prefix) bool {
	if l.o.Exempt(from.Addr()) {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[from] < l.o.PerAddr {
		l.open[from]++
		return true
	}
	l.refused.Add("address", from.String(), "limit", l.o.PerAddr)
	return false
}

func (l *listener) leave(from netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch l.open[from] {
	case 0: // it is exempt
	case 1:
		delete(l.open, from)
	default:
		l.open[from]--
	}
}

// clientOf returns what counts as one client: an IPv4 address, or a whole
// network of IPv6, as everybody has one.
func clientOf(address net.Addr) netip.Prefix {
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

// Conn is a connection that counts until it is closed. It remains a TCP
// connection, of which net/http can close one direction.
type Conn struct {
	*net.TCPConn
	reserve bool
	release func()
}

// Reserve reports whether the connection is beyond the total.
func (c *Conn) Reserve() bool { return c.reserve }

// Close closes the connection.
func (c *Conn) Close() error {
	defer c.release()
	return c.TCPConn.Close()
}
