package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi/client"
)

const entryID = "0123456789abcdef0123456789abcdef"

// newClient returns a client of a server that answers with handler, after
// checking the credentials.
func newClient(t *testing.T, handler http.HandlerFunc) *client.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "dscape" || password != "secret" {
			t.Errorf("got credentials %s:%s", user, password)
		}
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	c, err := client.New(client.Options{URL: server.URL + "/", User: "dscape", Password: core.NewSecret("secret")})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// line is a change as the API writes it.
func line(seq int, status core.Status) string {
	return fmt.Sprintf(`{"seq":"%d-0","id":"http://host/1/status/dscape/changes/%s","app_name":"hello","status":"%s","doc":{"id":"%s","status":"%s"}}`+"\n",
		seq, entryID, status, entryID, status)
}

func TestNewRefusesInvalidURLs(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "host", "ftp://host", "http://", "http://user:secret@host", "http://host?x=1"} {
		if _, err := client.New(client.Options{URL: url}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got %v", url, err)
		}
	}
}

func TestDeploy(t *testing.T) {
	t.Parallel()
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.String() != "/1/deploy?branch=main" || string(body) != `{"a":1}` ||
			r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-GitHub-Event") != "push" || r.Header.Get("Prefer") != "wait=2" {
			t.Errorf("got %s %s %v %s, %v", r.Method, r.URL, r.Header, body, err)
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, line(7, core.StatusHeld))
	})
	change, err := c.Deploy(t.Context(), []byte(`{"a":1}`), client.DeployOptions{
		Target: core.Target{Branch: "main"}, Header: http.Header{"X-Github-Event": {"push"}}, Wait: 1500 * time.Millisecond,
	})
	if text, err := json.Marshal(change); err != nil || !strings.HasPrefix(string(text), `{"seq":"7-0","id":"http://host/`) {
		t.Errorf("got %s, %v", text, err)
	}
	if err != nil || change.Status != core.StatusHeld || change.EntryID() != entryID || change.Seq != (core.Seq{Millis: 7}) || change.Doc.Status != core.StatusHeld {
		t.Errorf("got %+v, %v", change, err)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status    int
		body      string
		code      core.Code
		temporary bool
	}{
		"unauthorized":  {401, `{"error":"` + string(core.CodeUnauthorized) + `","reason":"No.","uuid":"u"}`, core.CodeUnauthorized, false},
		"failed build":  {502, `{"error":"` + string(core.CodeUploadTarball) + `","reason":"It failed.","id":"http://host/x"}`, core.CodeUploadTarball, false},
		"unavailable":   {503, `{"error":"` + string(core.CodeHTTPUnavailable) + `","reason":"Later."}`, core.CodeHTTPUnavailable, true},
		"a proxy":       {502, `<html>`, "", true},
		"another proxy": {403, `<html>`, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "3")
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			})
			_, err := c.Entry(t.Context(), entryID)
			failure, ok := errors.AsType[*client.Error](err)
			if !ok || failure.Status != test.status || failure.Code != test.code || core.CodeOf(err) != test.code {
				t.Fatalf("got %#v", err)
			}
			after, temporary := core.Retryable(err)
			if temporary != test.temporary || temporary && after != 3*time.Second {
				t.Errorf("temporary: %t after %s", temporary, after)
			}
		})
	}
	c, err := client.New(client.Options{URL: "http://127.0.0.1:1", User: "dscape"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Entry(t.Context(), entryID); err == nil {
		t.Error("no failure without a server")
	} else if _, temporary := core.Retryable(err); !temporary {
		t.Errorf("not temporary: %v", err)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.String() != "/1/status/dscape/webhooks/hello?limit=2&skip=1" {
			t.Errorf("got %s", r.URL)
		}
		w.Header().Set("X-Total-Count", "3")
		_, _ = io.WriteString(w, `[{"id":"a","status":"ok"},{"id":"b","status":"error"}]`)
	})
	page, err := c.Status(t.Context(), "hello", 1, 2)
	if err != nil || page.Total != 3 || len(page.Entries) != 2 || page.Entries[1].Status != core.StatusError {
		t.Errorf("got %+v, %v", page, err)
	}
}

func TestRelease(t *testing.T) {
	t.Parallel()
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/1/status/dscape/changes/"+entryID+"/release" || r.Header.Get("Prefer") != "" {
			t.Errorf("got %s %s %v", r.Method, r.URL, r.Header)
		}
		_, _ = io.WriteString(w, line(1, core.StatusPending))
	})
	if change, err := c.Release(t.Context(), entryID, 0); err != nil || change.Status != core.StatusPending {
		t.Errorf("got %+v, %v", change, err)
	}
}

func TestRedeliverAndCancel(t *testing.T) {
	t.Parallel()
	var calls []string
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		calls = append(calls, r.Method+" "+r.URL.Path+" "+r.Header.Get("Prefer"))
		_, _ = io.WriteString(w, line(1, core.StatusPending))
	})
	if change, err := c.Redeliver(t.Context(), entryID, time.Minute); err != nil || change.Status != core.StatusPending {
		t.Errorf("got %+v, %v", change, err)
	}
	if change, err := c.Cancel(t.Context(), entryID); err != nil || change.EntryID() != entryID {
		t.Errorf("got %+v, %v", change, err)
	}
	path := "/1/status/dscape/changes/" + entryID
	if want := []string{"POST " + path + "/redeliver wait=60", "DELETE " + path + " "}; !slices.Equal(calls, want) {
		t.Errorf("got calls %q, want %q", calls, want)
	}
}

// A feed goes on after each way in which a connection can end, and returns each
// change once.
func TestFeedResumes(t *testing.T) {
	t.Parallel()
	var connections atomic.Int64
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		n := connections.Add(1)
		since := map[int64]string{1: "0", 2: "1-0", 3: "1-0", 4: "2-0", 5: "3-0"}[n]
		if query.Get("since") != since || query.Get("include_docs") != "true" || query.Get("app") != "hello" || query.Get("status") != "ok,error" {
			t.Errorf("connection %d: got %s, want since %s", n, r.URL, since)
		}
		switch n {
		case 1: // cut off in a line
			_, _ = io.WriteString(w, "\n"+line(1, core.StatusOK)+line(2, core.StatusOK)[:20])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case 2: // unavailable
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"error":"`+string(core.CodeHTTPUnavailable)+`"}`)
		case 3: // the service stops
			_, _ = io.WriteString(w, line(2, core.StatusOK)+`{"error":"`+string(core.CodeHTTPUnavailable)+`","reason":"It stops."}`+"\n")
		case 4: // silence
			_, _ = io.WriteString(w, line(3, core.StatusOK))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		default:
			_, _ = io.WriteString(w, line(4, core.StatusOK))
		}
	})
	var seqs []uint64
	connected, disconnected := 0, 0
	for change, err := range c.Feed(t.Context(), client.FeedOptions{
		Since: "0", Docs: core.DocAlways, App: "hello", Statuses: []core.Status{core.StatusOK, core.StatusError}, Heartbeat: 300 * time.Millisecond,
		Connected: func() { connected++ }, Disconnected: func(error, time.Duration) { disconnected++ },
	}) {
		if err != nil {
			t.Fatal(err)
		}
		if seqs = append(seqs, change.Seq.Millis); change.Seq.Millis == 4 {
			break
		}
	}
	if fmt.Sprint(seqs) != "[1 2 3 4]" || connected != 4 || disconnected != 4 {
		t.Errorf("got %v in %d connections, %d lost", seqs, connected, disconnected)
	}
}

func TestFeedEnds(t *testing.T) {
	t.Parallel()
	collect := func(ctx context.Context, o client.FeedOptions, handler http.HandlerFunc) (n int, err error) {
		for _, err := range newClient(t, handler).Feed(ctx, o) {
			if err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}
	n, err := collect(t.Context(), client.FeedOptions{Once: true}, func(w http.ResponseWriter, r *http.Request) {
		if query := r.URL.Query(); query.Get("feed") != "normal" || query.Has("since") || query.Get("heartbeat") != "15000" {
			t.Errorf("got %s", r.URL)
		}
		_, _ = io.WriteString(w, line(1, core.StatusOK)+line(2, core.StatusOK))
	})
	if n != 2 || err != nil {
		t.Errorf("once: got %d changes, %v", n, err)
	}
	_, err = collect(t.Context(), client.FeedOptions{Since: "1-0"}, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusGone)
		_, _ = io.WriteString(w, `{"error":"`+string(core.CodeChangesGone)+`","reason":"Gone.","oldest":"5-0"}`)
	})
	if failure, ok := errors.AsType[*client.Error](err); !ok || failure.Oldest != "5-0" || failure.Code != core.CodeChangesGone {
		t.Errorf("gone: got %v", err)
	}
	_, err = collect(t.Context(), client.FeedOptions{}, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}\n") })
	if err == nil || !strings.Contains(err.Error(), "unexpected line") {
		t.Errorf("nonsense: got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = collect(ctx, client.FeedOptions{Connected: cancel}, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: got %v", err)
	}
}

// If a proxy in front of the service repeats a request in its answer, the error
// does not contain the credentials.
func TestErrorsWithoutRepeatedCredentials(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{
			"error": "http:internal", "reason": "you sent " + r.Header.Get("Authorization") + ", " + password,
		})
	}))
	t.Cleanup(server.Close)
	c, err := client.New(client.Options{URL: server.URL, User: "dscape", Password: core.NewSecret("canary-password")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Entry(t.Context(), "1")
	if err == nil || !strings.Contains(err.Error(), "you sent ***, ***") {
		t.Errorf("got %v", err)
	}
}
