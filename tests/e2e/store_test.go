package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/adapters/bolt"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// path returns the file of the store.
func (s *server) path() string { return filepath.Join(s.data, "webhooks.db") }

// ping sends a ping and wants it accepted.
func (s *server) ping() map[string]any {
	s.t.Helper()
	return s.send(request{path: "/1/deploy", body: `{"zen":"x","hook_id":1}`, header: event("ping")}).change(s.t, 200, "ok")
}

// A store that can not write refuses deliveries and stores nothing that it did not
// acknowledge. It can still be read, and recovers when there is room again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags()...)
	repo := h.repository("full")
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("full"), "index.js": node("x")})
	before := s.ping()

	limit := func(bytes string) {
		t.Helper()
		limit := exec.CommandContext(t.Context(), "prlimit", "--pid", strconv.Itoa(s.cmd.Process.Pid), "--fsize="+bytes+":") //nolint:gosec // our own child
		if out, err := limit.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	limit("0") // no file may be written to any more
	for range 2 {
		got := s.send(repo.delivery(t, commit, "one", nil))
		got.failure(t, 503, "deploy:db:failed_to_store_payload")
		if got.header.Get("Retry-After") == "" {
			t.Error("there is no Retry-After")
		}
	}
	s.send(request{path: "/readyz", anonymous: true}).failure(t, 503, "http:unavailable")
	if got := s.send(request{path: "/healthz", anonymous: true}); got.status != 200 {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := s.send(request{path: "/1/status/dscape/webhooks"}); got.status != 200 || got.header.Get("X-Total-Count") != "1" {
		t.Errorf("got %d %s", got.status, got.body)
	}

	limit("unlimited")
	s.ready(200)
	list := s.send(request{path: "/1/status/dscape/webhooks"})
	if id, _ := before["id"].(string); list.header.Get("X-Total-Count") != "1" || !strings.Contains(list.body, id[strings.LastIndex(id, "/")+1:]) {
		t.Errorf("got %v %s", list.header, list.body)
	}
	if n := h.requested("/full/"); n != 0 {
		t.Errorf("GitHub was asked %d times for what was not accepted", n)
	}
	s.send(repo.delivery(t, commit, "one", nil)).change(t, 200, "ok")
}

// damage changes a text in the file of the store, to one of the same length,
// while no server has it open.
func (s *server) damage(from, to string) {
	s.t.Helper()
	s.stop()
	text, err := os.ReadFile(s.path())
	if err != nil {
		s.t.Fatal(err)
	}
	if len(from) != len(to) || !bytes.Contains(text, []byte(from)) {
		s.t.Fatalf("there is no %q in the store that could be %q", from, to)
	}
	if err := os.WriteFile(s.path(), bytes.ReplaceAll(text, []byte(from), []byte(to)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.start()
}

// Damaged data is reported as an internal error.
func TestDamagedStore(t *testing.T) {
	t.Parallel()
	s := serve(t, "--retry-delays", "10ms")
	pushed := s.send(request{path: "/1/deploy", body: text(t, push(object{})), header: event("push")}).failure(t, 502, "deploy:gate:failed")
	id, _ := pushed["id"].(string)
	entry := request{path: "/1/status/dscape/changes/" + id[strings.LastIndex(id, "/")+1:]}
	list := request{path: "/1/status/dscape/webhooks"}
	report := request{path: "/1/deploy", body: text(t, build(object{"commit": strings.Repeat("b", 40), "branch": "main"}))}

	s.damage(`{"id":"`, `["id":"`) // of entries
	s.send(entry).failure(t, 500, "status:db:get_by_id")
	s.send(list).failure(t, 500, "status:db:query_fail")
	// A report looks for the pushes of its commit, and can't read the one there is.
	failed := s.send(report).failure(t, 500, "http:internal")
	if reason, _ := failed["reason"].(string); strings.Contains(reason, "bolt") || !strings.Contains(reason, "uuid") {
		t.Errorf("got reason %q", reason)
	}
	s.damage(`["id":"`, `{"id":"`)
	if got := s.send(list); got.status != 200 || got.header.Get("X-Total-Count") != "2" {
		t.Errorf("mended: %d %s", got.status, got.body)
	}
}

// fill adds entries of the user to the store while no server has it open: one
// for each output, those of a batch all at once.
func (s *server) fill(o bolt.Options, batches ...[]string) {
	s.t.Helper()
	s.stop()
	o.Path = s.path()
	store := bolt.New(o)
	if err := store.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	now := time.Now().UTC()
	var failures sync.Map
	count := 0
	for _, batch := range batches {
		var filling sync.WaitGroup
		slots := make(chan struct{}, 256)
		for _, output := range batch {
			count++
			id := fmt.Sprintf("%012x%020x", now.UnixMilli(), count)
			slots <- struct{}{}
			filling.Go(func() {
				defer func() { <-slots }()
				_, _, err := store.Accept(s.t.Context(), deploy.Acceptance{Payload: []byte("{}"), Entry: core.Entry{
					ID: id, User: user, Status: core.StatusOK, Output: output,
					Provider: core.ProviderGitHub, Kind: core.EventPing, Event: "ping", Steps: []core.Step{},
					CreatedAt: now, UpdatedAt: now, FinishedAt: now,
				}})
				if err != nil {
					failures.Store(err.Error(), true)
				}
			})
		}
		filling.Wait()
	}
	if err := store.Stop(context.WithoutCancel(s.t.Context())); err != nil {
		s.t.Fatal(err)
	}
	failures.Range(func(err, _ any) bool {
		s.t.Fatal(err)
		return false
	})
	s.start()
}

// A feed can not be resumed before the oldest change that is kept, or after the
// newest one. The answer names the oldest one that it can resume from.
func TestFeedBeforeTheOldestChange(t *testing.T) {
	t.Parallel()
	s := serve(t)
	first, _ := s.ping()["seq"].(string)
	s.fill(bolt.Options{MaxChanges: 3}, make([]string, 4))
	for _, r := range []request{
		{path: "/1/status/dscape/changes?since=99999999999999-0"}, // no seq of this log
		{path: "/1/status/dscape/changes?since=" + first},
		{path: "/1/status/dscape/changes?feed=normal&since=" + first},
		{path: "/1/status/dscape/changes", header: map[string]string{"Last-Event-ID": first, "Accept": "text/event-stream"}},
	} {
		gone := s.send(r).failure(t, 410, "status:changes:gone")
		oldest := lines(t, s.open(t.Context(), request{path: "/1/status/dscape/changes?feed=normal&since=0"}), -1)
		if len(oldest) != 3 || gone["oldest"] != oldest[0]["seq"] {
			t.Errorf("got oldest %v, want that of %v", gone["oldest"], oldest)
		}
	}
}

// A reader that is so slow that changes are dropped before it reads them learns of it
// in the last line. It can resume from the last change that it has read.
func TestReaderThatIsTooSlow(t *testing.T) {
	t.Parallel()
	s := serve(t)
	// More is kept now than the server keeps: it drops them at the next change.
	// The first of them are more than all buffers on the way hold.
	large := make([]string, 110)
	for i := range large {
		large[i] = strings.Repeat("x", 32<<10)
	}
	s.fill(bolt.Options{MaxChanges: 20_000, MaxEntries: 20_000}, large, make([]string, 10_100))
	small := func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10)
		})
		return errors.Join(err, failed)
	}
	transport := &http.Transport{DialContext: (&net.Dialer{Control: small}).DialContext}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.api+"/1/status/dscape/changes?include_docs=true&since=0&timeout=600000", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(user, password)
	response, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	response.Body = provoked.watch(response.StatusCode, response.Body)
	s.ping() // while the reader does not read
	changes := lines(t, response, -1)
	last := changes[len(changes)-1]
	if last["error"] != "status:changes:fatal" || !strings.Contains(last["reason"].(string), "since") {
		t.Fatalf("got %d changes, the last %v", len(changes), last)
	}
	if response.StatusCode != http.StatusOK || len(changes) < 2 {
		t.Errorf("got %d with %d changes", response.StatusCode, len(changes))
	}
	seq, _ := changes[len(changes)-2]["seq"].(string)
	s.send(request{path: "/1/status/dscape/changes?since=" + seq}).failure(t, 410, "status:changes:gone")
}
