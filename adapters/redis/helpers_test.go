package redis_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/redis"
	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// journal is a log that can be waited for.
type journal struct {
	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and replaced with each line
}

func newJournal() *journal { return &journal{more: make(chan struct{})} }

func (j *journal) logger() *slog.Logger { return slog.New(j) }

func (j *journal) Enabled(context.Context, slog.Level) bool { return true }

func (j *journal) WithAttrs([]slog.Attr) slog.Handler { return j }

func (j *journal) WithGroup(string) slog.Handler { return j }

func (j *journal) Handle(_ context.Context, r slog.Record) error {
	line := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
	close(j.more)
	j.more = make(chan struct{})
	return nil
}

// count returns how many lines contain text, and a channel that is closed with the
// next line.
func (j *journal) count(text string) (n int, more <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, line := range j.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n, j.more
}

// until waits for the nth line that contains text.
func (j *journal) until(n int, text string) {
	for {
		found, more := j.count(text)
		if found >= n {
			return
		}
		<-more
	}
}

// want checks that exactly n lines contain text.
func (j *journal) want(t *testing.T, n int, text string) {
	t.Helper()
	if found, _ := j.count(text); found != n {
		j.mu.Lock()
		defer j.mu.Unlock()
		t.Errorf("%q was logged %d times, want %d:\n%s", text, found, n, strings.Join(j.lines, "\n"))
	}
}

// The log messages of an outage.
const (
	broken    = "ERROR redis is unavailable"
	recovered = "INFO redis is available again"
	lost      = "ERROR redis lost its data"
)

var last atomic.Int64 //nolint:gochecknoglobals // ids differ in all tests

// newEntry returns an entry as in production.
func newEntry(user string) core.Entry {
	n, now := last.Add(1), time.Now().UTC()
	return core.Entry{
		ID: fmt.Sprintf("%012x%020x", now.UnixMilli(), n), User: user, App: "app", Status: core.StatusPending,
		Provider: core.ProviderGitHub, Kind: core.EventPush, Repository: core.Repository{Owner: "o", Name: "r"},
		Commit: core.Commit{ID: fmt.Sprintf("%040x", n)}, Steps: []core.Step{}, CreatedAt: now, UpdatedAt: now,
	}
}

// delivery is the acceptance of an entry that has a lane for itself.
func delivery(e core.Entry) deploy.Acceptance {
	return deploy.Acceptance{
		Entry: e, Payload: []byte(strings.Repeat("payload ", 500)), Key: "key " + e.ID, Place: &deploy.Place{Lane: e.ID},
	}
}

func accept(t testing.TB, s *redis.Store, e core.Entry) core.Change {
	t.Helper()
	c, repeat, err := s.Accept(t.Context(), delivery(e))
	if err != nil || repeat {
		t.Fatalf("repeat %t, %v", repeat, err)
	}
	return c
}

func claim(t testing.TB, s *redis.Store) deploy.Claim {
	t.Helper()
	c, found, _, err := s.Claim(t.Context(), time.Minute)
	if err != nil || !found {
		t.Fatalf("found %t, %v", found, err)
	}
	return c
}

func changes(t *testing.T, s *redis.Store, user string, since core.Seq) []core.Change {
	t.Helper()
	all, err := coretest.Changes(t.Context(), s, user, since, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// watch reads the user's changes as they come, until there are want of them,
// and checks that each came once and in order.
func watch(t *testing.T, s *redis.Store, user string, want int) map[string]int64 {
	wake, stop := s.Watch(user)
	defer stop()
	seen := map[string]int64{} // by id: the newest revision
	var since core.Seq
	for count := 0; count < want; {
		page, err := coretest.Changes(t.Context(), s, user, since, 100)
		if t.Context().Err() != nil {
			return seen
		}
		if err != nil {
			continue // for a time that the call itself takes
		}
		if len(page) == 0 {
			select {
			case <-wake:
			case <-t.Context().Done():
				return seen
			}
		}
		for _, c := range page {
			if c.Seq.Compare(since) <= 0 {
				t.Errorf("%s came after %s", c.Seq, since)
			}
			if c.Entry.Revision != seen[c.Entry.ID]+1 {
				t.Errorf("revision %d of %s came after %d", c.Entry.Revision, c.Entry.ID, seen[c.Entry.ID])
			}
			since, seen[c.Entry.ID] = c.Seq, c.Entry.Revision
		}
		count += len(page)
	}
	return seen
}

// started is a server, a Store on it and the Store's journal.
func started(t *testing.T, args ...string) (*redistest.Server, *redis.Store, *journal) {
	t.Helper()
	server, j := redistest.Start(t, args...), newJournal()
	return server, open(t, redis.Options{Addrs: []string{server.Addr}, Logger: j.logger()}), j
}

func name(user int) string { return fmt.Sprintf("user-%d", user) }

func lines(text string) []string { return strings.Split(strings.TrimSpace(text), "\n") }

// unused returns a free port of 127.0.0.1.
func unused(t *testing.T) string {
	t.Helper()
	gone := redistest.Start(t)
	gone.Kill()
	_, port, err := net.SplitHostPort(gone.Addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
