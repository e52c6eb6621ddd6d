package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// measureFeed opens many feeds, makes changes, and measures how long it takes
// until each reader has each change.
func measureFeed(ctx context.Context, s *suite) ([]table, error) {
	counts := []int{100, 1000, 5000}
	if s.rounds == 1 {
		counts = counts[:2]
	}
	connect := table{area: "feed", title: "Readers that connect to a feed", unit: "a second"}
	burst := table{area: "feed", title: "Changes that readers get, while pushes come as fast as they are stored", unit: "a second"}
	idle := table{area: "feed", title: "Memory of an idle reader", unit: "KiB"}
	for _, n := range counts {
		c := row{contender: fmt.Sprintf("%d readers", n)}
		b, m := c, c
		for range s.rounds {
			if err := s.feedRound(ctx, n, &c, &b, &m); err != nil {
				return nil, err
			}
		}
		connect.rows = append(connect.rows, c)
		burst.rows = append(burst.rows, b)
		idle.rows = append(idle.rows, m)
	}
	return []table{connect, burst, idle}, nil
}

func (s *suite) feedRound(ctx context.Context, n int, connect, burst, idle *row) error {
	srv, err := s.onDisk(ctx)
	if err != nil {
		return err
	}
	defer srv.stop()
	before, err := srv.resident()
	if err != nil {
		return err
	}
	begin := time.Now()
	r, err := openReaders(ctx, srv.address, n)
	if err != nil {
		return err
	}
	defer r.close()
	took := time.Since(begin)
	connect.figures = append(connect.figures, float64(n)/took.Seconds())
	connect.note = fmt.Sprintf("%d ms for all", took.Milliseconds())
	after, err := srv.resident()
	if err != nil {
		return err
	}
	idle.figures = append(idle.figures, float64(after-before)/float64(n)/1024)

	changes := min(2000, 400_000/n)
	used, err := srv.cost()
	if err != nil {
		return err
	}
	p := newPushes(srv.address, srv.path, srv.secret, otherBranch, pushSize)
	sent := make([]time.Time, 0, changes)
	begin = time.Now()
	if err := sendSome(ctx, srv.address, p, 16, changes, &sent); err != nil {
		return err
	}
	if err := r.wait(ctx, int64(n)*int64(changes)); err != nil {
		return err
	}
	took = time.Since(begin)
	usedThen, err := srv.cost()
	if err != nil {
		return err
	}
	delivered := n * changes
	burst.figures = append(burst.figures, float64(delivered)/took.Seconds())
	burst.cpu = (usedThen.cpu - used.cpu) / time.Duration(delivered)
	burst.peak = max(burst.peak, usedThen.peak)
	burst.note = fmt.Sprintf("%d changes; the last reader had the last one %d ms after it was answered",
		changes, r.last().Sub(slices.MaxFunc(sent, time.Time.Compare)).Milliseconds())
	return nil
}

// sendSome sends exactly n deliveries, by some connections, and notes when each
// was answered.
func sendSome(ctx context.Context, address string, p *pushes, senders, n int, sent *[]time.Time) error {
	var left atomic.Int64
	left.Store(int64(n))
	var mu sync.Mutex
	var first error
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			err := func() error {
				conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
				if err != nil {
					return err
				}
				defer conn.Close() //nolint:errcheck // read to its end
				reader := bufio.NewReader(conn)
				var buf bytes.Buffer
				for left.Add(-1) >= 0 {
					buf.Reset()
					p.write(&buf)
					if _, err := conn.Write(buf.Bytes()); err != nil {
						return err
					}
					status, body, _, err := readAnswer(reader)
					if err != nil {
						return err
					}
					if status/100 != 2 {
						return fmt.Errorf("a push was answered %d %s", status, body)
					}
					mu.Lock()
					*sent = append(*sent, time.Now())
					mu.Unlock()
				}
				return nil
			}()
			mu.Lock()
			defer mu.Unlock()
			if first == nil {
				first = err
			}
		})
	}
	wg.Wait()
	return first
}

// readers are connections that read a feed and count its changes.
type readers struct {
	conns  []net.Conn
	got    atomic.Int64
	newest atomic.Int64 // when the newest change was read, in ns
	wake   chan struct{}
}

// openReaders opens n feeds, each until its headers have come.
func openReaders(ctx context.Context, address string, n int) (*readers, error) {
	r := &readers{conns: make([]net.Conn, n), wake: make(chan struct{}, 1)}
	auth := base64.StdEncoding.EncodeToString([]byte(benchUser + ":" + password))
	request := []byte("GET /1/status/" + benchUser + "/changes HTTP/1.1\r\nHost: " + address + "\r\nAuthorization: Basic " + auth + "\r\n\r\n")
	var next atomic.Int64
	var mu sync.Mutex
	var first error
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				conn, err := r.open(ctx, address, request)
				mu.Lock()
				r.conns[i] = conn
				if first == nil {
					first = err
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	if first != nil {
		r.close()
		return nil, first
	}
	return r, nil
}

func (r *readers) open(ctx context.Context, address string, request []byte) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(request); err != nil {
		return conn, err
	}
	reader := bufio.NewReaderSize(conn, 4<<10)
	line, err := reader.ReadString('\n')
	if err != nil {
		return conn, err
	}
	if len(line) < 12 || line[9:12] != "200" {
		return conn, fmt.Errorf("a feed was answered %q", line)
	}
	for line != "\r\n" {
		if line, err = reader.ReadString('\n'); err != nil {
			return conn, err
		}
	}
	go r.count(reader)
	return conn, nil
}

// count counts changes: each is a line of JSON, and nothing else in the stream
// has that beginning.
func (r *readers) count(reader *bufio.Reader) {
	mark := []byte(`{"seq":`)
	for {
		line, err := reader.ReadSlice('\n')
		if bytes.HasPrefix(line, mark) {
			r.newest.Store(time.Now().UnixNano())
			r.got.Add(1)
			select {
			case r.wake <- struct{}{}:
			default:
			}
		}
		if err != nil && err != bufio.ErrBufferFull { //nolint:errorlint // bufio returns it as it is
			return
		}
	}
}

// wait waits until all readers together have got n changes.
func (r *readers) wait(ctx context.Context, n int64) error {
	for r.got.Load() < n {
		select {
		case <-r.wake:
		case <-ctx.Done():
			return fmt.Errorf("the readers have %d of %d changes: %w", r.got.Load(), n, context.Cause(ctx))
		}
	}
	return nil
}

func (r *readers) last() time.Time { return time.Unix(0, r.newest.Load()) }

func (r *readers) close() {
	for _, conn := range r.conns {
		if conn != nil {
			_ = conn.Close()
		}
	}
}
