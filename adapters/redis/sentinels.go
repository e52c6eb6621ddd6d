package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// sentinels asks the Sentinels for the master, and connects to it.
//
// That of go-redis asks one Sentinel alone, for ever where that one hangs, and
// believes one that missed a failover. Here all are asked, the answers of most of
// them are enough, and of these the one after the latest failover counts.
type sentinels struct {
	name    string
	clients []*redis.SentinelClient
	tls     *tls.Config
	asking  sync.WaitGroup

	mu      sync.Mutex
	current master
	conns   map[*conn]string // those that stand, to the address
}

// master is what a Sentinel says.
type master struct {
	addr  string
	epoch int64 // rises with each failover
}

// askTimeout is how long a Sentinel has for an answer: so little that a try of
// a call can wait for those that hang, and connect then.
const askTimeout = tryTimeout / 3

func newSentinels(o Options) *sentinels {
	s := &sentinels{name: o.Master, tls: o.TLS, conns: map[*conn]string{}}
	for _, addr := range o.Addrs {
		s.clients = append(s.clients, redis.NewSentinelClient(&redis.Options{
			Addr: addr, Username: o.SentinelUsername, Password: o.SentinelPassword.Reveal(), TLSConfig: o.TLS,
			DialTimeout: askTimeout, DialerRetries: 1, ReadTimeout: askTimeout, WriteTimeout: askTimeout,
			ContextTimeoutEnabled: true, MaxRetries: -1, ClientName: clientName,
			MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		}))
	}
	return s
}

// dial connects to the master, whatever address it is given.
func (s *sentinels) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	addr, err := s.find(ctx)
	if err != nil {
		return nil, err
	}
	var raw net.Conn
	dialer := &net.Dialer{Timeout: tryTimeout}
	if s.tls == nil {
		raw, err = dialer.DialContext(ctx, network, addr)
	} else {
		raw, err = (&tls.Dialer{NetDialer: dialer, Config: s.tls}).DialContext(ctx, network, addr)
	}
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, of: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	if addr != s.current.addr {
		return nil, errors.Join(fmt.Errorf("redis: %s is the master no more", addr), raw.Close())
	}
	s.conns[c] = addr
	return c, nil
}

// find asks for the master, and ends the connections to another one.
func (s *sentinels) find(ctx context.Context) (string, error) {
	type answer struct {
		master
		err error
	}
	answers := make(chan answer, len(s.clients))
	for _, c := range s.clients {
		s.asking.Go(func() {
			m, err := s.ask(ctx, c)
			answers <- answer{m, err}
		})
	}
	known := s.known()
	newest, answered, most := master{}, 0, len(s.clients)/2+1
	var errs []error
	for range s.clients {
		a := <-answers // each comes, within askTimeout
		if a.err != nil {
			errs = append(errs, a.err)
			continue
		}
		if answered++; answered == 1 || a.epoch > newest.epoch {
			newest = a.master
		}
		if answered >= most && newest.epoch >= known.epoch {
			break
		}
	}
	if answered == 0 {
		return "", fmt.Errorf("redis: no Sentinel knows the master: %w", errors.Join(errs...))
	}
	// Their count of failovers starts again if they are set up again.
	return s.turn(newest, answered >= most), nil
}

func (s *sentinels) ask(ctx context.Context, c *redis.SentinelClient) (master, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	about, err := c.Master(ctx, s.name).Result()
	if err != nil {
		return master{}, err
	}
	epoch, err := strconv.ParseInt(about["config-epoch"], 10, 64)
	return master{net.JoinHostPort(about["ip"], about["port"]), epoch}, err
}

func (s *sentinels) known() master {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// turn goes over to a master, if it is a later one, or in any case, and returns
// the one that is known now. Who still talks to another is cut off.
func (s *sentinels) turn(to master, inAnyCase bool) string {
	s.mu.Lock()
	var old []*conn
	if s.current.addr == "" || to.epoch > s.current.epoch || inAnyCase {
		s.current = to
		for c, addr := range s.conns {
			if addr != to.addr {
				old = append(old, c)
			}
		}
	}
	addr := s.current.addr
	s.mu.Unlock()
	for _, c := range old {
		_ = c.Close() // whoever uses it sees that
	}
	return addr
}

// follow waits for a Sentinel to announce a failover, until ctx ends.
func (s *sentinels) follow(ctx context.Context, c *redis.SentinelClient) {
	subscription := c.Subscribe(ctx, "+switch-master")
	defer subscription.Close() //nolint:errcheck // nothing was written to it
	messages := subscription.ChannelWithSubscriptions()
	for {
		select {
		case <-messages:
			// If it does not answer, the next connection asks them all.
			if m, err := s.ask(ctx, c); err == nil {
				s.turn(m, false)
			}
		case <-ctx.Done():
			return
		}
	}
}

func (s *sentinels) close() error {
	var errs []error
	for _, c := range s.clients {
		if err := c.Close(); !errors.Is(err, redis.ErrClosed) {
			errs = append(errs, err)
		}
	}
	s.asking.Wait()
	return errors.Join(errs...)
}

// conn is a connection that is known until it is closed.
type conn struct {
	net.Conn
	of *sentinels
}

// Close may be called twice: by us, and by go-redis.
func (c *conn) Close() error {
	c.of.mu.Lock()
	_, stands := c.of.conns[c]
	delete(c.of.conns, c)
	c.of.mu.Unlock()
	if !stands {
		return nil
	}
	return c.Conn.Close()
}

// NetConn is what go-redis looks at for a connection that was closed at its
// other end.
func (c *conn) NetConn() net.Conn { return c.Conn }
