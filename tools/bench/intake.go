package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
)

const (
	pushSize    = 7700 // bytes, as GitHub's usually are
	connections = 64   // that senders keep open
)

// contender is a program that is measured.
type contender struct {
	name  string
	start func(context.Context) (*server, error)
	note  string
}

// The contenders of more than one table.
const (
	nameVerify = "floor: verify, store nothing"
	nameBolt   = "floor: bbolt, grouped commits"
	nameOwn    = "webhooks"
	nameAdnanh = "adnanh/webhook"
)

// starters returns the contenders that take deliveries; the floor is first.
func (s *suite) starters() []contender {
	floor := func(name string) func(context.Context) (*server, error) {
		return func(ctx context.Context) (*server, error) { return s.floor(ctx, name) }
	}
	all := []contender{
		{nameVerify, floor(floorVerify), ""},
		{nameBolt, floor(floorBolt), ""},
		{"floor: log, one fdatasync a group", floor(floorLog), ""},
		{nameOwn, s.onDisk, ""},
	}
	for _, fsync := range []string{"everysec", "always"} {
		all = append(all,
			contender{"floor: Redis " + fsync + ", pipelines", func(ctx context.Context) (*server, error) { return s.floorOnRedis(ctx, fsync) }, ""},
			contender{"webhooks, Redis " + fsync, func(ctx context.Context) (*server, error) { return s.webhooksOnRedis(ctx, fsync) }, ""})
	}
	return append(all, contender{nameAdnanh, s.adnanh, "runs /bin/true, stores nothing"})
}

// named returns the contenders of those names.
func named(all []contender, names ...string) []contender {
	return slices.DeleteFunc(all, func(c contender) bool { return !slices.Contains(names, c.name) })
}

// onDisk starts the program with its embedded store.
func (s *suite) onDisk(ctx context.Context) (*server, error) {
	data, err := s.folder()
	if err != nil {
		return nil, err
	}
	return s.webhooks(ctx, data)
}

// otherBranch is one that is not deployed: its pushes are stored and ignored,
// so that nothing but the intake is at work.
const otherBranch = "elsewhere"

func measureIntake(ctx context.Context, s *suite) ([]table, error) {
	accepted := func(status int) bool { return status/100 == 2 }
	stored, err := s.deliveries(ctx, s.starters(), otherBranch, false, accepted)
	if err != nil {
		return nil, err
	}
	stored.area, stored.title = "intake", fmt.Sprintf("Signed pushes of %.1f KB, stored durably, %d connections", pushSize/1000.0, connections)
	worked, err := s.deliveries(ctx, named(s.starters(), nameBolt, nameOwn), "main", false, accepted)
	worked.area, worked.title = "intake", "The same, with the deployments at work meanwhile"
	return []table{stored, worked}, err
}

func measureRefusals(ctx context.Context, s *suite) ([]table, error) {
	// Debian's adnanh/webhook answers a wrong signature with 500.
	refused := func(status int) bool {
		return status == http.StatusUnauthorized || status == http.StatusInternalServerError
	}
	t, err := s.deliveries(ctx, named(s.starters(), nameVerify, nameOwn, nameAdnanh), otherBranch, true, refused)
	t.area, t.title = "refusals", "Pushes with a wrong signature, refused"
	return []table{t}, err
}

// deliveries measures how many deliveries a second each contender answers as
// wanted, in turn.
func (s *suite) deliveries(ctx context.Context, who []contender, branch string, spoil bool, want func(int) bool) (table, error) {
	t := table{unit: "a second"}
	for _, c := range who {
		t.rows = append(t.rows, row{contender: c.name, note: c.note})
	}
	for range s.rounds {
		for i, c := range who {
			srv, err := c.start(ctx)
			if err != nil {
				return t, fmt.Errorf("%s: %w", c.name, err)
			}
			a, used, err := s.push(ctx, srv, branch, spoil, 0, want)
			srv.stop()
			if err != nil {
				return t, fmt.Errorf("%s: %w", c.name, err)
			}
			r := &t.rows[i]
			r.figures = append(r.figures, a.rate())
			r.cpu = used.cpu / time.Duration(a.ok)
			r.peak = max(r.peak, used.peak)
			r.note = joinNotes(c.note, fmt.Sprintf("p99 %d ms", a.quantile(0.99).Milliseconds()), badNote(a))
			_, _ = fmt.Fprintf(s.stderr, "  %-36s %8.0f/s\n", c.name, a.rate())
		}
	}
	return t, nil
}

// push sends deliveries to a server, and returns what it used meanwhile.
func (s *suite) push(ctx context.Context, srv *server, branch string, spoil bool, every time.Duration, want func(int) bool) (answers, cost, error) {
	p := newPushes(srv.address, srv.path, srv.secret, branch, pushSize)
	p.spoil = spoil
	l := load{
		address: srv.address, connections: connections, period: s.period, every: every,
		request: func(buf *bytes.Buffer) { p.write(buf) }, want: want,
	}
	before, err := srv.cost()
	if err != nil {
		return answers{}, cost{}, err
	}
	a, err := l.run(ctx)
	if err != nil {
		return a, cost{}, err
	}
	after, err := srv.cost()
	return a, cost{after.cpu - before.cpu, after.peak}, err
}

// measureOverload finds the rate at which the server stores deliveries at the best
// of times, and compares it with what is stored when twice as many are sent a
// second, by senders that do not wait for each other. The server has a processor of
// its own for all of it.
func measureOverload(ctx context.Context, s *suite) ([]table, error) {
	const crowd = 64 * connections
	t := table{area: "overload", title: "Pushes stored while more are sent than can be", unit: "a second", rows: []row{
		{contender: fmt.Sprintf("%d connections, as fast as they are answered", 4*connections)},
		{contender: fmt.Sprintf("%d connections, twice that rate together", crowd)},
		{contender: fmt.Sprintf("%d connections again, after that", 4*connections)},
	}}
	for range s.rounds {
		srv, together, err := apart(func() (*server, error) { return s.onDisk(ctx) })
		if err != nil {
			return nil, err
		}
		err = s.overload(ctx, srv, crowd, t.rows)
		srv.stop()
		together()
		if err != nil {
			return nil, err
		}
	}
	return []table{t}, nil
}

// overload measures the three rows of measureOverload once.
func (s *suite) overload(ctx context.Context, srv *server, crowd int, rows []row) error {
	p := newPushes(srv.address, srv.path, srv.secret, otherBranch, pushSize)
	peak := 0.0
	for i := range rows {
		l := load{
			address: srv.address, connections: 4 * connections, warm: s.period, period: s.period, request: p.write,
			want: func(status int) bool { return status/100 == 2 },
		}
		if i == 1 {
			l.connections, l.every = crowd, time.Duration(float64(crowd)/(2*peak)*float64(time.Second))
		}
		before, err := srv.cost()
		if err != nil {
			return err
		}
		a, err := l.run(ctx)
		if err != nil {
			return err
		}
		peak = max(peak, a.rate())
		r := &rows[i]
		r.figures = append(r.figures, a.rate())
		r.note = joinNotes(fmt.Sprintf("p99 %d ms", a.quantile(0.99).Milliseconds()), badNote(a))
		after, err := srv.cost()
		if err != nil {
			return err
		}
		r.peak = max(r.peak, after.peak)
		r.cpu = time.Duration(float64(after.cpu-before.cpu) / float64(a.ok+a.refused) * s.period.Seconds() / (s.period + l.warm).Seconds())
	}
	return nil
}

// badNote says what else than expected was answered.
func badNote(a answers) string {
	switch {
	case a.other > 0:
		return fmt.Sprintf("%d refused (503), %d others, such as %.60q", a.refused, a.other, a.firstBad)
	case a.refused > 0:
		return fmt.Sprintf("%d refused (503), the median in %.1f ms", a.refused, float64(a.refusal().Microseconds())/1000)
	}
	return ""
}

func joinNotes(notes ...string) string {
	var text string
	for _, note := range notes {
		if note == "" {
			continue
		}
		if text != "" {
			text += "; "
		}
		text += note
	}
	return text
}
