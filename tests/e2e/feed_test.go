package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// lines reads the changes of a feed until it ends, or n are there.
func lines(t *testing.T, response *http.Response, n int) (changes []map[string]any) {
	t.Helper()
	defer response.Body.Close() //nolint:errcheck // only read
	scanner := bufio.NewScanner(response.Body)
	scanner.Buffer(nil, 8<<20)
	for (n < 0 || len(changes) < n) && scanner.Scan() {
		if scanner.Text() == "" {
			continue // a heartbeat
		}
		var change map[string]any
		if err := json.Unmarshal(scanner.Bytes(), &change); err != nil {
			t.Fatalf("%v: %s", err, scanner.Text())
		}
		changes = append(changes, change)
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return changes
}

// The feed in all its forms.
func TestFeed(t *testing.T) {
	t.Parallel()
	s := serve(t)
	feed := func(query string) *http.Response {
		t.Helper()
		return s.open(t.Context(), request{path: "/1/status/dscape/changes" + query})
	}
	ping := func() { s.send(request{path: "/1/deploy", body: `{"zen":"x","hook_id":1}`, header: event("ping")}) }

	// Live: the subscription is there when its headers are.
	ctx, cancel := context.WithCancel(t.Context())
	live := s.open(ctx, request{path: "/1/status/dscape/changes?include_docs=true"})
	for range 3 {
		ping()
	}
	changes := lines(t, live, 3)
	cancel()
	for i, change := range changes {
		if change["status"] != "ok" || change["doc"] == nil || change["seq"] == nil {
			t.Errorf("change %d: %v", i, change)
		}
	}

	all := lines(t, feed("?since=0&feed=normal"), -1)
	if len(all) != 3 {
		t.Fatalf("got %d changes", len(all))
	}
	if all[0]["doc"] != nil {
		t.Error("there is a doc without include_docs")
	}
	// Resumed, nothing is lost and nothing comes twice.
	first, _ := all[0]["seq"].(string)
	if rest := lines(t, feed("?feed=normal&since="+first), -1); len(rest) != 2 || rest[0]["seq"] != all[1]["seq"] {
		t.Errorf("got %v", rest)
	}
	resumed := s.open(t.Context(), request{path: "/1/status/dscape/changes/?feed=longpoll", header: map[string]string{"Last-Event-ID": first}})
	if rest := lines(t, resumed, -1); len(rest) != 2 {
		t.Errorf("got %v", rest)
	}
	if none := lines(t, feed("?since=0&feed=normal&status=error"), -1); len(none) != 0 {
		t.Errorf("got %v", none)
	}

	// The short form, to the letter of the documentation.
	for _, key := range []string{"seq", "id", "app_name", "uuid", "status", "provider", "commit"} {
		if _, there := all[0][key]; !there {
			t.Errorf("%s is missing in %v", key, all[0])
		}
	}
	id, _ := all[0]["id"].(string)
	if !strings.HasPrefix(id, s.api+"/1/status/dscape/changes/") || len(id) != len(s.api)+len("/1/status/dscape/changes/")+32 {
		t.Errorf("got id %q", id)
	}

	// The timeout ends it: with a status if nothing was sent, else with a last line.
	silent := s.send(request{path: "/1/status/dscape/changes?timeout=2000"})
	if silent.status != 408 || silent.json(t)["error"] != "status:changes:timeout" {
		t.Errorf("got %d %s", silent.status, silent.body)
	}
	ended := lines(t, feed("?since=0&timeout=2000"), -1)
	if last := ended[len(ended)-1]; len(ended) != 4 || last["error"] != "status:changes:timeout" {
		t.Errorf("got %v", ended)
	}
	if head := s.send(request{method: "HEAD", path: "/1/status/dscape/changes?since=0"}); head.status != 200 || head.body != "" {
		t.Errorf("HEAD: got %d %q", head.status, head.body)
	}
	if gone := s.send(request{path: "/1/status/dscape/changes?since=x"}); gone.status != 400 || gone.json(t)["error"] != "status:params:invalid" {
		t.Errorf("got %d %s", gone.status, gone.body)
	}

	events := s.open(t.Context(), request{path: "/1/status/dscape/changes?since=0&feed=normal", header: map[string]string{"Accept": "text/event-stream"}})
	defer events.Body.Close() //nolint:errcheck // only read
	if got := events.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/event-stream") {
		t.Errorf("got %q", got)
	}
	ids, datas := 0, 0
	for scanner := bufio.NewScanner(events.Body); scanner.Scan(); {
		if strings.HasPrefix(scanner.Text(), "id:") {
			ids++
		}
		if strings.HasPrefix(scanner.Text(), "data:") {
			datas++
		}
	}
	if ids != 3 || datas != 3 {
		t.Errorf("got %d ids and %d datas", ids, datas)
	}
}

// A server that stops ends its feeds with a last line.
func TestStopEndsFeeds(t *testing.T) {
	t.Parallel()
	s := serve(t)
	response := s.open(t.Context(), request{path: "/1/status/dscape/changes"})
	s.stop()
	if last := lines(t, response, -1); len(last) != 1 || last[0]["error"] == nil {
		t.Errorf("got %v", last)
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
