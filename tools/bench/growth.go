package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nodejitsu/webhooks/tools/bench/idle"
)

// measureGrowth measures what apps, readers and servers on one Redis cost as their
// number grows. Nothing of it starts an app.
func measureGrowth(ctx context.Context, s *suite) ([]table, error) {
	var all []table
	for _, measure := range []func(context.Context, *suite) ([]table, error){measureApps, measureReaders, measureServers} {
		tables, err := measure(ctx, s)
		all = append(all, tables...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// measureApps deploys apps to a platform whose runner starts nothing.
func measureApps(ctx context.Context, s *suite) ([]table, error) {
	counts := []int{10, 100, 1000}
	deployed := table{area: "growth", title: "Apps on one platform: deployments, each created, uploaded, built, activated and started", unit: "a second"}
	memory := table{area: "growth", title: "Apps on one platform: memory right after a start", unit: "MB"}
	started := table{area: "growth", title: "Apps on one platform: from exec until all are routed again", unit: "ms"}
	routed := table{area: "growth", title: "Apps on one platform: requests through the router, to each app in turn", unit: "a second"}
	dir, err := s.folder()
	if err != nil {
		return nil, err
	}
	target, err := answering(ctx)
	if err != nil {
		return nil, err
	}
	have := 0
	for _, n := range counts {
		name := fmt.Sprintf("%d apps of %d users", n, n/10)
		p, api, _, err := s.idlePlatform(ctx, dir, target)
		if err != nil {
			return nil, err
		}
		client := idle.Client(api)
		begin := time.Now()
		err = idle.Deploy(ctx, client, have, n)
		took := time.Since(begin)
		client.Close()
		used, costErr := p.cost()
		p.stop()
		if err != nil || costErr != nil {
			return nil, fmt.Errorf("%s: %w", name, errors.Join(err, costErr))
		}
		deployed.rows = append(deployed.rows, row{
			contender: name, figures: []float64{float64(n-have) / took.Seconds()}, cpu: used.cpu / time.Duration(n-have), peak: used.peak,
			note: "with one user for each ten",
		})
		have = n

		begin = time.Now()
		p, _, routes, err := s.idlePlatform(ctx, dir, target)
		if err != nil {
			return nil, err
		}
		started.rows = append(started.rows, row{contender: name, figures: []float64{float64(time.Since(begin).Microseconds()) / 1000}})
		bytes, err := p.resident()
		if err == nil {
			size, sizeErr := fileSize(filepath.Join(dir, "platform.db"))
			err = sizeErr
			memory.rows = append(memory.rows, row{
				contender: name, figures: []float64{float64(bytes) / (1 << 20)}, note: fmt.Sprintf("platform.db has %.1f MB", float64(size)/(1<<20)),
			})
		}
		var r row
		if err == nil {
			r, err = s.routeAll(ctx, p, routes, n)
		}
		p.stop()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		r.contender = name
		routed.rows = append(routed.rows, r)
	}
	return []table{deployed, memory, started, routed}, nil
}

// idlePlatform starts a platform whose runner starts nothing, and returns the
// addresses of its API and of its router.
func (s *suite) idlePlatform(ctx context.Context, dir, target string) (p *process, api, routes string, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", "", err
	}
	if p, err = s.start(ctx, self, "platform", dir, target); err != nil {
		return nil, "", "", err
	}
	for _, address := range []*string{&api, &routes} {
		if *address, err = p.line(ctx, ""); err != nil {
			p.stop()
			return nil, "", "", err
		}
	}
	return p, api, routes, nil
}

// answering returns the address of a server that answers each request with 204 until
// ctx ends. It stands for all apps.
func answering(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go answer(conn)
		}
	}()
	return listener.Addr().String(), nil
}

// answer answers the requests of a connection, which have no body.
func answer(conn net.Conn) {
	defer conn.Close() //nolint:errcheck // the client has it all, or is gone
	reader := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
			return
		}
	}
}

// routeAll sends requests to n apps in turn.
func (s *suite) routeAll(ctx context.Context, p *process, address string, n int) (row, error) {
	var next atomic.Int64
	l := load{
		address: address, connections: connections, period: s.period,
		request: func(buf *bytes.Buffer) {
			_, _ = fmt.Fprintf(buf, "GET / HTTP/1.1\r\nHost: %s.localhost\r\n\r\n", idle.App(int(next.Add(1))%n))
		},
		want: func(status int) bool { return status == http.StatusOK },
	}
	before, err := p.cost()
	if err != nil {
		return row{}, err
	}
	a, err := l.run(ctx)
	if err != nil {
		return row{}, err
	}
	after, err := p.cost()
	return row{
		figures: []float64{a.rate()}, cpu: (after.cpu - before.cpu) / time.Duration(a.ok), peak: after.peak,
		note: joinNotes(fmt.Sprintf("p99 %.1f ms", float64(a.quantile(0.99).Microseconds())/1000), badNote(a)),
	}, err
}

// measureReaders opens feeds of one user, up to 10,000, and makes few changes.
func measureReaders(ctx context.Context, s *suite) ([]table, error) {
	connect := table{area: "growth", title: "Readers of one server that connect", unit: "a second"}
	memory := table{area: "growth", title: "Readers of one server: memory of each", unit: "KiB"}
	change := table{area: "growth", title: "Readers of one server: one change, from its answer until the last reader has it", unit: "ms"}
	for _, n := range []int{100, 1000, 10_000} {
		if err := s.readersRound(ctx, n, &connect, &memory, &change); err != nil {
			return nil, fmt.Errorf("%d readers: %w", n, err)
		}
	}
	return []table{connect, memory, change}, nil
}

func (s *suite) readersRound(ctx context.Context, n int, connect, memory, change *table) error {
	srv, err := s.profiled(ctx)
	if err != nil {
		return err
	}
	defer srv.stop()
	// The first one authenticates, which takes memory of its own.
	request := feedRequest(srv)
	first, err := openReaders(ctx, srv.address, request, 1)
	if err != nil {
		return err
	}
	first.close()
	before, err := srv.live(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	r, err := openReaders(ctx, srv.address, request, n)
	if err != nil {
		return err
	}
	defer r.close()
	name := fmt.Sprintf("%d readers", n)
	connect.rows = append(connect.rows, row{contender: name, figures: []float64{float64(n) / time.Since(begin).Seconds()}})
	after, err := srv.live(ctx)
	if err != nil {
		return err
	}
	memory.rows = append(memory.rows, row{
		contender: name, figures: []float64{float64(after-before) / float64(n) / 1024}, note: fmt.Sprintf("%.1f MB in all", float64(after)/(1<<20)),
	})
	used, err := srv.cost()
	if err != nil {
		return err
	}
	const changes = 15
	p := newPushes(srv.address, srv.path, srv.secret, otherBranch, pushSize)
	c := row{contender: name}
	for i := range int64(changes) {
		var sent []time.Time
		if err := sendSome(ctx, srv.address, p.write, 1, 1, &sent); err != nil {
			return err
		}
		if err := r.wait(ctx, int64(n)*(i+1)); err != nil {
			return err
		}
		c.figures = append(c.figures, max(0, float64(r.last().Sub(sent[0]).Microseconds())/1000))
	}
	usedThen, err := srv.cost()
	if err != nil {
		return err
	}
	c.cpu, c.peak = (usedThen.cpu-used.cpu)/time.Duration(n*changes), usedThen.peak
	change.rows = append(change.rows, c)
	return nil
}

// measureServers has servers share one Redis.
func measureServers(ctx context.Context, s *suite) ([]table, error) {
	stored := table{area: "growth", title: "Servers on one Redis (everysec): pushes stored by all of them", unit: "a second"}
	busy := table{area: "growth", title: "Servers on one Redis: processor time of Redis for each push", unit: "µs"}
	for _, n := range []int{1, 2, 4} {
		if err := s.serversRound(ctx, n, &stored, &busy); err != nil {
			return nil, fmt.Errorf("%d servers: %w", n, err)
		}
	}
	return []table{stored, busy}, nil
}

func (s *suite) serversRound(ctx context.Context, n int, stored, busy *table) error {
	redis, address, err := s.redis(ctx, "everysec")
	if err != nil {
		return err
	}
	defer redis.stop()
	servers := make([]*server, n)
	for i := range servers {
		data, err := s.folder()
		if err != nil {
			return err
		}
		if servers[i], err = s.webhooks(ctx, data, "--redis", address); err != nil {
			return err
		}
		defer servers[i].stop()
	}
	empty, err := redisMemory(ctx, address)
	if err != nil {
		return err
	}
	before, err := redis.cost()
	if err != nil {
		return err
	}
	type outcome struct {
		a    answers
		used cost
		err  error
	}
	outcomes := make(chan outcome)
	for _, srv := range servers {
		go func() {
			a, used, err := s.push(ctx, srv, otherBranch, false, 0, func(status int) bool { return status/100 == 2 })
			outcomes <- outcome{a, used, err}
		}()
	}
	var sum row
	count, rate := 0, 0.0
	for range servers {
		o := <-outcomes
		if o.err != nil {
			err = o.err
		}
		count += o.a.ok
		rate += o.a.rate()
		sum.cpu += o.used.cpu
		sum.peak += o.used.peak
	}
	if err != nil {
		return err
	}
	after, err := redis.cost()
	if err != nil {
		return err
	}
	full, err := redisMemory(ctx, address)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%d servers", n)
	sum.contender, sum.figures, sum.cpu = name, []float64{rate}, sum.cpu/time.Duration(count)
	sum.note = "processor time and memory are of the servers together"
	stored.rows = append(stored.rows, sum)
	busy.rows = append(busy.rows, row{
		contender: name, figures: []float64{float64((after.cpu - before.cpu).Microseconds()) / float64(count)}, peak: after.peak,
		note: fmt.Sprintf("%.1f KB of Redis for each stored push", float64(full-empty)/float64(count)/1024),
	})
	return nil
}

// redisMemory returns how many bytes a Redis has allocated.
func redisMemory(ctx context.Context, address string) (int64, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, err
	}
	defer conn.Close() //nolint:errcheck // read as far as needed
	if _, err := io.WriteString(conn, "INFO memory\r\n"); err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if text, found := strings.CutPrefix(lines.Text(), "used_memory:"); found {
			return strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		}
	}
	return 0, errors.New("redis does not say how much memory it uses")
}

// fileSize returns the size of a file in bytes.
func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// servePlatform is the subcommand that idlePlatform starts: args are its folder and the
// address that stands for all apps.
func servePlatform(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != 2 || strings.HasPrefix(args[0], "-") {
		return fmt.Errorf("want a folder and an address, not %q", args)
	}
	return idle.Serve(ctx, args[0], args[1], out)
}
