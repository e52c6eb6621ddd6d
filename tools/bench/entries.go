package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// resident returns the memory that the process has in use, in bytes.
func (p *process) resident() (int64, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/statm")
	if err != nil {
		return 0, err
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// measureEntries fills a store, starts the program again, and measures pushes
// right after the start and the first page of the log.
func measureEntries(ctx context.Context, s *suite) ([]table, error) {
	counts := []int{1_000, 100_000, 1_000_000}
	if s.rounds == 1 {
		counts = []int{1_000, 10_000}
	}
	keep := []string{"--max-entries", "10000000"} // so that all of them stay
	pushed := table{area: "entries", title: "Pushes right after a start, with entries stored", unit: "a second"}
	page := table{area: "entries", title: "The first page of the log", unit: "ms"}
	rest := table{area: "entries", title: "Memory right after the start", unit: "MB"}
	data, err := s.folder()
	if err != nil {
		return nil, err
	}
	stored := 0
	for _, n := range counts {
		name := fmt.Sprintf("%d entries", n)
		srv, err := s.webhooks(ctx, data, keep...)
		if err != nil {
			return nil, err
		}
		err = s.fill(ctx, srv, n-stored)
		srv.stop()
		if err != nil {
			return nil, err
		}
		stored = n
		if srv, err = s.webhooks(ctx, data, keep...); err != nil {
			return nil, err
		}
		bytes, err := srv.resident()
		if err != nil {
			srv.stop()
			return nil, err
		}
		rest.rows = append(rest.rows, row{contender: name, figures: []float64{float64(bytes) / (1 << 20)}})
		r, n, err := s.pushSteadily(ctx, srv, name)
		if err == nil {
			stored += n
			pushed.rows = append(pushed.rows, r)
			var took float64
			took, err = s.firstPage(ctx, srv)
			page.rows = append(page.rows, row{contender: name, figures: []float64{took}})
		}
		srv.stop()
		if err != nil {
			return nil, err
		}
	}
	// With the usual limit, all but 10,000 of the user's entries are removed from now on.
	srv, err := s.webhooks(ctx, data)
	if err != nil {
		return nil, err
	}
	defer srv.stop()
	r, _, err := s.pushSteadily(ctx, srv, fmt.Sprintf("%d entries, while old ones are removed", counts[len(counts)-1]))
	if err != nil {
		return nil, err
	}
	pushed.rows = append(pushed.rows, r)
	lanes, err := s.measureLanes(ctx)
	return []table{pushed, page, rest, lanes}, err
}

// pushSteadily sends pushes at a rate that the server can store, and returns how many
// were stored.
func (s *suite) pushSteadily(ctx context.Context, srv *server, name string) (row, int, error) {
	a, used, err := s.push(ctx, srv, otherBranch, false, 100*time.Millisecond, func(status int) bool { return status/100 == 2 })
	return row{
		contender: name, figures: []float64{a.rate()}, cpu: used.cpu / time.Duration(max(a.ok, 1)), peak: used.peak,
		note: joinNotes(fmt.Sprintf("p99 %d ms of %d sent at a steady rate", a.quantile(0.99).Milliseconds(), a.ok+a.refused+a.other), badNote(a)),
	}, a.ok, err
}

// smallPush is a size in bytes, so that a million of them fit on the disk.
const smallPush = 1000

// fill stores n entries.
func (s *suite) fill(ctx context.Context, srv *server, n int) error {
	var sent []time.Time
	return sendSome(ctx, srv.address, newPushes(srv.address, srv.path, srv.secret, otherBranch, smallPush).write, connections, n, &sent)
}

// firstPage returns the median time in ms of the first page of the log.
func (s *suite) firstPage(ctx context.Context, srv *server) (float64, error) {
	auth := base64.StdEncoding.EncodeToString([]byte(benchUser + ":" + password))
	l := load{
		address: srv.address, connections: 1, period: s.period,
		request: func(buf *bytes.Buffer) {
			buf.WriteString("GET /1/status/" + benchUser + "/webhooks?limit=20 HTTP/1.1\r\nHost: " + srv.address + "\r\nAuthorization: Basic " + auth + "\r\n\r\n")
		},
		want: func(status int) bool { return status == 200 },
	}
	a, err := l.run(ctx)
	return float64(a.quantile(0.5).Microseconds()) / 1000, err
}

// measureStart measures the time from exec to the first answer, and the memory
// at rest after it.
func measureStart(ctx context.Context, s *suite) ([]table, error) {
	ready := table{area: "start", title: "From exec to the first answer", unit: "ms"}
	data, err := s.folder()
	if err != nil {
		return nil, err
	}
	onData := func(ctx context.Context) (*server, error) { return s.webhooks(ctx, data) }
	first, err := onData(ctx) // makes the user, which takes longer than a start
	if err != nil {
		return nil, err
	}
	first.stop()
	who := []contender{{"webhooks", onData, "store, platform and router"}, {"adnanh/webhook", s.adnanh, ""}}
	for _, c := range who {
		r := row{contender: c.name, note: c.note}
		for range 2*s.rounds + 1 {
			begin := time.Now()
			srv, err := c.start(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			r.figures = append(r.figures, float64(time.Since(begin).Microseconds())/1000)
			if bytes, err := srv.resident(); err == nil {
				r.peak = bytes
			}
			srv.stop()
		}
		ready.rows = append(ready.rows, r)
	}
	return []table{ready}, nil
}
