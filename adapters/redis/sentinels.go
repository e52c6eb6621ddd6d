package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// sentinels asks the Sentinels for the master, and connects to it.
//
// The failover client of go-redis asks only one Sentinel, waits for ever if that one
// hangs, and accepts the answer of one that missed a failover. This one asks all of
// them, waits for a majority, and uses the answer with the latest failover.
type sentinels struct {
	name    string
	clients []*redis.SentinelClient
	tls     *tls.Config
	asking  sync.WaitGroup

	askTimeout, dialTimeout time.Duration // of a question to a Sentinel, and of connecting to the master

	mu      sync.Mutex
	current master
	conns   map[*conn]string // open connections, to the address
}

// master is the answer of a Sentinel.
type master struct {
	addr  string
	epoch int64 // increases with each failover
}

func newSentinels(o Options) *sentinels {
	// An attempt of a call has time to wait for Sentinels that hang and then to connect.
	ask := o.tryTimeout() / 3
	s := &sentinels{name: o.Master, askTimeout: ask, dialTimeout: o.tryTimeout(), tls: o.TLS, conns: map[*conn]string{}}
	for _, addr := range o.Addrs {
		s.clients = append(s.clients, redis.NewSentinelClient(&redis.Options{
			Addr: addr, Username: o.SentinelUsername, Password: o.SentinelPassword.Reveal(), TLSConfig: o.TLS,
			DialTimeout: ask, DialerRetries: 1, ReadTimeout: ask, WriteTimeout: ask,
			ContextTimeoutEnabled: true, MaxRetries: -1, ClientName: clientName,
			MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		}))
	}
	return s
}

// dial connects to the master. It ignores the address.
func (s *sentinels) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	addr, err := s.find(ctx)
	if err != nil {
		return nil, err
	}
	var raw net.Conn
	dialer := &net.Dialer{Timeout: s.dialTimeout}
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
		return nil, errors.Join(fmt.Errorf("redis: %s is no longer the master", addr), raw.Close())
	}
	s.conns[c] = addr
	return c, nil
}

// find asks for the master and closes the connections to other servers.
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
		a := <-answers // within askTimeout
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
	return s.setMaster(newest, answered >= most), nil
}

func (s *sentinels) ask(ctx context.Context, c *redis.SentinelClient) (master, error) {
	ctx, cancel := context.WithTimeout(ctx, s.askTimeout)
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

// setMaster sets the master if it is a later one or force is set, closes the
// connections to other servers, and returns the current master.
func (s *sentinels) setMaster(to master, force bool) string {
	s.mu.Lock()
	var old []*conn
	if s.current.addr == "" || to.epoch > s.current.epoch || force {
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
		_ = c.Close() // its user gets an error
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
				s.setMaster(m, false)
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

// conn is a connection in conns until it is closed.
type conn struct {
	net.Conn
	of *sentinels
}

// Close may be called twice: by setMaster and by go-redis.
func (c *conn) Close() error {
	c.of.mu.Lock()
	_, open := c.of.conns[c]
	delete(c.of.conns, c)
	c.of.mu.Unlock()
	if !open {
		return nil
	}
	return c.Conn.Close()
}

// NetConn is called by go-redis to check whether the other end closed the
// connection.
func (c *conn) NetConn() net.Conn { return c.Conn }
