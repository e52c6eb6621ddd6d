package e2e

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// A reader that a crash disconnected resumes without a gap or a repeat.
func TestFeedResumesAfterACrash(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags("--wait", "0s")...)
	repo := h.repository("resumed")
	feed := s.open(t.Context(), request{path: "/1/status/dscape/changes?since=0"})
	var seen []string
	see := func(changes []map[string]any) {
		for _, change := range changes {
			seq, _ := change["seq"].(string)
			seen = append(seen, seq)
		}
	}
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("resumed"), "index.js": node("x")})
	arrived, release := h.Hold(func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/contents/package.json") })
	id, _ := s.send(repo.delivery(t, commit, "one", nil)).change(t, 202, "pending")["id"].(string)
	<-arrived
	see(lines(t, feed, 2)) // accepted, and claimed
	s.kill()
	release()
	s.start()
	resumed := s.open(t.Context(), request{path: "/1/status/dscape/changes?since=" + seen[len(seen)-1]})
	s.outcome(id, "ok")
	last := s.ping()
	defer resumed.Body.Close() //nolint:errcheck // only read
	scanner := bufio.NewScanner(resumed.Body)
	for scanner.Scan() {
		_, seq, _ := strings.Cut(scanner.Text(), `"seq":"`)
		seq, _, _ = strings.Cut(seq, `"`)
		if seen = append(seen, seq); seq == last["seq"] {
			break
		}
	}
	var all []string
	for _, change := range lines(t, s.open(t.Context(), request{path: "/1/status/dscape/changes?since=0&feed=normal"}), -1) {
		seq, _ := change["seq"].(string)
		all = append(all, seq)
	}
	if strings.Join(seen, " ") != strings.Join(all, " ") {
		t.Errorf("got %v, want %v", seen, all)
	}
}

// The parameters of the feed.
func TestFeedParameters(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags()...)
	for _, name := range []string{"one", "two"} {
		repo := h.repository(name)
		files := map[string]string{"package.json": packageJSON(name), "index.js": node(name)}
		if name == "two" {
			files["index.js"] = "process.exit(1)"
		}
		commit := repo.commit("first", files)
		s.send(repo.delivery(t, commit, "", nil))
	}
	s.ping()
	feed := func(query string) []map[string]any {
		t.Helper()
		return lines(t, s.open(t.Context(), request{path: "/1/status/dscape/changes?since=0&feed=normal&" + query}), -1)
	}
	withDoc := func(changes []map[string]any) (n int) {
		for _, change := range changes {
			if change["doc"] != nil {
				n++
			}
		}
		return n
	}
	all := feed("")
	if n := withDoc(all); n != 0 {
		t.Errorf("unasked, %d of %d changes have a doc", n, len(all))
	}
	if docs := feed("include_docs=true"); withDoc(docs) != len(all) {
		t.Errorf("with docs, %d of %d changes have a doc", withDoc(docs), len(docs))
	}
	if failed := feed("include_docs=auto&status=error"); len(failed) != 1 || withDoc(failed) != 1 || failed[0]["error"] != "deploy:nodejitsu:start_app" {
		t.Errorf("of the failed got %v", failed)
	}
	if well := feed("include_docs=auto&status=ok"); len(well) != 2 || withDoc(well) != 0 {
		t.Errorf("of the others got %v", well)
	}
	one, two := feed("app=one"), feed("app=two")
	for _, change := range append(one, two...) {
		if change["app_name"] != "one" && change["app_name"] != "two" {
			t.Errorf("of one app got %v", change)
		}
	}
	if len(one) == 0 || len(two) == 0 || len(one)+len(two) >= len(all) {
		t.Errorf("got %d and %d of %d changes", len(one), len(two), len(all))
	}
	if both := feed("status=ok,error"); len(both) != 3 {
		t.Errorf("of two statuses got %v", both)
	}

	// Idle, the feed sends empty lines; in server-sent events, comments.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for accept, beat := range map[string]string{"": "", "text/event-stream": ":"} {
		idle := s.open(ctx, request{path: "/1/status/dscape/changes?heartbeat=10", header: map[string]string{"Accept": accept}})
		defer idle.Body.Close() //nolint:errcheck // only read
		beats := 0
		for scanner := bufio.NewScanner(idle.Body); beats < 3 && scanner.Scan(); {
			if scanner.Text() == beat {
				beats++
			}
		}
		if beats != 3 {
			t.Errorf("%q: got %d heartbeats", accept, beats)
		}
	}
	longpoll := s.open(ctx, request{path: "/1/status/dscape/changes?feed=longpoll"})
	last := s.ping()
	if got := lines(t, longpoll, -1); len(got) != 1 || got[0]["seq"] != last["seq"] {
		t.Errorf("got %v, want %v", got, last)
	}
}

// endless is a body without an end.
type endless struct{ sent atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.sent.Add(int64(len(p)))
	return len(p), nil
}

// A body without a length is read up to the limit only.
func TestEndlessBody(t *testing.T) {
	t.Parallel()
	s := serve(t)
	body := &endless{}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.api+"/1/deploy", body)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(user, password)
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	answer{response.StatusCode, response.Header, string(text)}.failure(t, 413, "deploy:payload:too_large")
	if sent := body.sent.Load(); sent > 64<<20 {
		t.Errorf("%d bytes were sent", sent)
	}
}
