package redistest

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy forwards connections from a client to a server, and simulates a bad network.
// It is closed at the end of the test. Its methods may be called concurrently.
type Proxy struct {
	Addr string // host:port, for the client

	to      string
	running sync.WaitGroup
	mu      sync.Mutex
	ended   bool
	cut     bool
	delay   time.Duration
	losses  []*Loss
	conns   map[net.Conn]struct{}
}

// Loss is a rule to lose answers.
type Loss struct {
	// Lost receives when a request was forwarded whose answer will be lost.
	Lost chan struct{}

	request []byte
	times   int
	silent  bool
}

// StartProxy starts a Proxy in front of addr.
func StartProxy(t testing.TB, addr string) *Proxy {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context()) // Cut closes the connections
	p := &Proxy{Addr: l.Addr().String(), to: addr, conns: map[net.Conn]struct{}{}}
	p.running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.serve(ctx, client) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close() // it was only accepted from
		p.mu.Lock()
		p.ended = true
		p.mu.Unlock()
		p.Cut()
		p.running.Wait()
	})
	return p
}

// Cut closes all connections, including new ones, until Mend.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for c := range p.conns {
		_ = c.Close() // that is the point
	}
}

// Mend ends the effects of Cut, Delay and Lose.
func (p *Proxy) Mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.delay, p.losses = p.ended, 0, nil
}

// Delay delays the answers of the server by d.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Lose forwards requests that contain a text, and closes the connection instead of
// forwarding the answer, that many times.
func (p *Proxy) Lose(text string, times int) *Loss { return p.lose(text, times, false) }

// Swallow is like Lose, but keeps the connection open and forwards no more answers.
func (p *Proxy) Swallow(text string, times int) *Loss { return p.lose(text, times, true) }

func (p *Proxy) lose(text string, times int, silent bool) *Loss {
	l := &Loss{Lost: make(chan struct{}, times), request: []byte(text), times: times, silent: silent}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.losses = append(p.losses, l)
	return l
}

// serve copies between a client and the server until one of them, or Cut, ends it.
func (p *Proxy) serve(ctx context.Context, client net.Conn) {
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.to)
	if err != nil {
		_ = client.Close() // so the client gets an error, too
		return
	}
	stop := make(chan struct{})
	ended := sync.OnceFunc(func() {
		close(stop)
		_ = client.Close() // both directions have ended
		_ = server.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, client)
		delete(p.conns, server)
	})
	p.mu.Lock()
	p.conns[client], p.conns[server] = struct{}{}, struct{}{}
	cut := p.cut
	p.mu.Unlock()
	if cut {
		ended()
		return
	}
	defer ended()
	lost := make(chan *Loss, 1)
	p.running.Go(func() {
		defer ended()
		p.requests(server, client, lost)
	})
	p.answers(client, server, lost, stop)
}

// requests forwards the requests of the client. A request of less than 64 KB arrives
// in one piece.
func (p *Proxy) requests(server io.Writer, client io.Reader, lost chan<- *Loss) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if l := p.losing(buffer[:n]); l != nil {
			select {
			case lost <- l:
			default: // one is lost here already
			}
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// answers forwards the answers of the server until one gets lost.
func (p *Proxy) answers(client io.Writer, server io.Reader, lost <-chan *Loss, stop <-chan struct{}) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if err != nil || !p.wait(stop) {
			return
		}
		select {
		case l := <-lost:
			l.Lost <- struct{}{}
			if l.silent {
				_, _ = io.Copy(io.Discard, server) // until the connection is closed
			}
			return
		default:
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// losing returns the loss that applies to a request.
func (p *Proxy) losing(request []byte) *Loss {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.losses {
		if l.times > 0 && bytes.Contains(request, l.request) {
			l.times--
			return l
		}
	}
	return nil
}

// wait waits for the time of Delay. It returns false if the connection ended meanwhile.
func (p *Proxy) wait(stop <-chan struct{}) bool {
	p.mu.Lock()
	delay := p.delay
	p.mu.Unlock()
	if delay == 0 {
		return true
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-stop:
		return false
	}
}
