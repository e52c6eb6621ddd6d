package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// broadcaster is a program whose readers get each change that is made.
type broadcaster struct {
	name  string
	start func(context.Context) (*server, error)
	open  func(*server) []byte              // the request of a reader
	write func(*server) func(*bytes.Buffer) // returns what writes the requests that make changes
	note  string
}

// broadcasters returns the contenders of the feed; the floor is first.
func (s *suite) broadcasters() []broadcaster {
	pushed := func(srv *server) func(*bytes.Buffer) {
		return newPushes(srv.address, srv.path, srv.secret, otherBranch, pushSize).write
	}
	all := []broadcaster{
		{
			"floor: one log in memory", func(ctx context.Context) (*server, error) { return s.floor(ctx, floorFeed) },
			func(srv *server) []byte {
				return []byte("GET " + floorChanges + " HTTP/1.1\r\nHost: " + srv.address + "\r\n\r\n")
			}, pushed, "stores nothing",
		},
		{"webhooks", s.profiled, func(srv *server) []byte { return feedRequest(srv) }, pushed, ""},
		{"webhooks, server-sent events", s.profiled, func(srv *server) []byte { return feedRequest(srv, "Accept: text/event-stream") }, pushed, ""},
	}
	if program := os.Getenv("BENCH_CENTRIFUGO"); program != "" {
		all = append(all, broadcaster{
			"centrifugo", func(ctx context.Context) (*server, error) { return s.centrifugo(ctx, program) },
			func(srv *server) []byte {
				const subscribe = `{"subs":{"bench":{}}}`
				return []byte("POST /connection/uni_http_stream HTTP/1.1\r\nHost: " + srv.address +
					"\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(subscribe)) + "\r\n\r\n" + subscribe)
			}, published, "stores nothing, verifies nothing",
		})
	}
	return all
}

// feedRequest returns the request of a reader of webhooks.
func feedRequest(srv *server, header ...string) []byte {
	auth := base64.StdEncoding.EncodeToString([]byte(benchUser + ":" + password))
	all := append([]string{"GET /1/status/" + benchUser + "/changes HTTP/1.1", "Host: " + srv.address, "Authorization: Basic " + auth}, header...)
	return []byte(strings.Join(all, "\r\n") + "\r\n\r\n")
}

// centrifugo starts centrifugo without a history and without authentication.
func (s *suite) centrifugo(ctx context.Context, program string) (*server, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	host, port, _ := net.SplitHostPort(address)
	p, err := s.start(ctx, program, "--client.insecure", "--http_api.insecure", "--uni_http_stream.enabled",
		"--http_server.address", host, "--http_server.port", port, "--log.level", "none", "--debug.enabled")
	if err != nil {
		return nil, err
	}
	return &server{process: p, address: address, path: "/api/publish", profiles: "http://" + address}, waitFor(ctx, address)
}

// published writes the requests that have centrifugo publish a change.
func published(srv *server) func(*bytes.Buffer) {
	var next atomic.Uint64
	return func(buf *bytes.Buffer) {
		body := fmt.Sprintf(`{"channel":"bench","data":`+changeLine+`}`, fmt.Sprintf(commitID, next.Add(1)))
		buf.WriteString("POST " + srv.path + " HTTP/1.1\r\nHost: " + srv.address +
			"\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
	}
}

// The feed with readers for each of whom its figures are measured.
const (
	manyReaders   = 1000
	mostReaders   = 5000
	steadyChanges = 50 // a second
)

// measureFeed opens many feeds, makes changes, and measures how long it takes
// until each reader has each change.
func measureFeed(ctx context.Context, s *suite) ([]table, error) {
	var tables []table
	for _, n := range []int{manyReaders, mostReaders} {
		connect := table{area: "feed", title: fmt.Sprintf("%d readers connect to a feed", n), unit: "ms"}
		idle := table{area: "feed", title: fmt.Sprintf("Memory of each of %d idle readers", n), unit: "KiB"}
		burst := table{area: "feed", title: fmt.Sprintf("Changes that %d readers get, which are made as fast as they are answered", n), unit: "a second"}
		steady := table{area: "feed", title: fmt.Sprintf("%d changes a second to %d readers: from the request that makes it until a reader has it, p99", steadyChanges, n), unit: "ms"}
		all := []*table{&connect, &idle, &burst}
		rounds := s.rounds
		if n == manyReaders {
			all = append(all, &steady)
		} else {
			rounds = 1
		}
		who := s.broadcasters()
		for _, t := range all {
			for _, b := range who {
				t.rows = append(t.rows, row{contender: b.name, note: b.note})
			}
		}
		for range rounds {
			for i, b := range who {
				rows := make([]*row, len(all))
				for j := range all {
					rows[j] = &all[j].rows[i]
				}
				if err := s.feedRound(ctx, n, b, rows); err != nil {
					return tables, fmt.Errorf("%s: %w", b.name, err)
				}
			}
		}
		for _, t := range all {
			tables = append(tables, *t)
		}
		if s.rounds == 1 {
			break
		}
	}
	return tables, nil
}

// feedRound measures a contender once with n readers: how they connect, their
// memory, a burst of changes and, if there is a fourth row, a steady stream.
func (s *suite) feedRound(ctx context.Context, n int, b broadcaster, rows []*row) error {
	srv, err := b.start(ctx)
	if err != nil {
		return err
	}
	defer srv.stop()
	request := b.open(srv)
	// The first one authenticates, which takes memory of its own.
	first, err := openReaders(ctx, srv.address, request, 1)
	if err != nil {
		return err
	}
	first.close()
	before, err := srv.live(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	r, err := openReaders(ctx, srv.address, request, n)
	if err != nil {
		return err
	}
	defer r.close()
	rows[0].figures = append(rows[0].figures, float64(time.Since(began).Microseconds())/1000)
	after, err := srv.live(ctx)
	if err != nil {
		return err
	}
	rows[1].figures = append(rows[1].figures, float64(max(after-before, 0))/float64(n)/1024)
	write := b.write(srv)
	if err := s.burst(ctx, srv, r, n, write, rows[2], b.note); err != nil || len(rows) < 4 {
		return err
	}
	return s.steady(ctx, srv, r, n, write, rows[3])
}

// burst makes changes as fast as they are answered.
func (s *suite) burst(ctx context.Context, srv *server, r *readers, n int, write func(*bytes.Buffer), into *row, note string) error {
	changes := 400_000 / n
	used, err := srv.cost()
	if err != nil {
		return err
	}
	sent := make([]time.Time, 0, changes)
	began := time.Now()
	if err := sendSome(ctx, srv.address, write, 16, changes, &sent); err != nil {
		return err
	}
	delivered := int64(n) * int64(changes)
	if err := r.wait(ctx, delivered); err != nil {
		return err
	}
	took := time.Since(began)
	usedThen, err := srv.cost()
	if err != nil {
		return err
	}
	into.figures = append(into.figures, float64(delivered)/took.Seconds())
	into.cpu = (usedThen.cpu - used.cpu) / time.Duration(delivered)
	into.peak = max(into.peak, usedThen.peak)
	into.note = joinNotes(note, fmt.Sprintf("%d changes; the last reader had the last one %d ms after it was answered",
		changes, r.last().Sub(slices.MaxFunc(sent, time.Time.Compare)).Milliseconds()))
	return nil
}

// steady makes changes at a steady rate, and measures when the readers have them.
func (s *suite) steady(ctx context.Context, srv *server, r *readers, n int, write func(*bytes.Buffer), into *row) error {
	changes := int(s.period.Seconds() * steadyChanges)
	before := r.got.Load()
	used, err := srv.cost()
	if err != nil {
		return err
	}
	r.begin(changes, n)
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", srv.address)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // read to its end
	reader := bufio.NewReader(conn)
	began := time.Now()
	var buf bytes.Buffer
	for i := range changes {
		at := began.Add(time.Duration(i) * time.Second / steadyChanges)
		select {
		case <-time.After(time.Until(at)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		buf.Reset()
		write(&buf)
		r.made(buf.Bytes(), at)
		if _, err := conn.Write(buf.Bytes()); err != nil {
			return err
		}
		if status, body, _, err := readAnswer(reader); err != nil || status/100 != 2 {
			return fmt.Errorf("a change was answered %d %s: %w", status, body, err)
		}
	}
	if err := r.wait(ctx, before+int64(n)*int64(changes)); err != nil {
		return err
	}
	usedThen, err := srv.cost()
	if err != nil {
		return err
	}
	delays := r.delays()
	into.figures = append(into.figures, float64(quantile(delays, 0.99).Microseconds())/1000)
	into.cpu = (usedThen.cpu - used.cpu) / time.Duration(n*changes)
	into.peak = max(into.peak, usedThen.peak)
	into.note = fmt.Sprintf("the median in %.1f ms", float64(quantile(delays, 0.5).Microseconds())/1000)
	return nil
}

// sendSome sends exactly n requests, by some connections, and notes when each
// was answered.
func sendSome(ctx context.Context, address string, write func(*bytes.Buffer), senders, n int, sent *[]time.Time) error {
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
					write(&buf)
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
