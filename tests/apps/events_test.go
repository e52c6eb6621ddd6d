package apps

import (
	"bufio"
	"context"
	"net/http"
	"slices"
	"testing"
)

// stream is a stream of server-sent events.
type stream struct {
	t     *testing.T
	lines *bufio.Scanner
	close func()
}

func (a *app) stream() *stream {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), patience)
	a.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.host()+"/events", http.NoBody)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := a.client(true).Do(req) // it returns before there is any event
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { _ = resp.Body.Close() })
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || kind != "text/event-stream" {
		a.t.Fatalf("the stream is %d %s", resp.StatusCode, kind)
	}
	return &stream{a.t, bufio.NewScanner(resp.Body), cancel}
}

// expect reads until one of the lines comes, and returns it.
func (s *stream) expect(wanted ...string) string {
	s.t.Helper()
	for s.lines.Scan() {
		if slices.Contains(wanted, s.lines.Text()) {
			return s.lines.Text()
		}
	}
	s.t.Fatalf("the stream ended before %q: %v", wanted, s.lines.Err())
	return ""
}

func TestServerSentEvents(t *testing.T) {
	t.Parallel()
	a := create(t, shared, "events")
	first := a.deploy(example(t, "events", files{"version.txt": "1"}))
	s, other := a.stream(), a.stream()
	// Each text is sent when the one before has arrived.
	for _, text := range []string{"/one", "/two", "/three"} {
		a.send(http.MethodPost, text)
		s.expect("data: 1 " + text)
		other.expect("data: 1 " + text)
	}
	a.answers("1 2")

	other.close()
	until(t, "the app to learn that a reader has gone", func() bool { return a.get("/").body == "1 1" })

	// After a switch a stream goes on for a time, gets a last event, and ends.
	a.deploy(example(t, "events", files{"version.txt": "2"}))
	a.answers("2 0")
	s.expect(": still here")
	s.expect("event: bye")
	if s.lines.Scan(); s.lines.Scan() || s.lines.Err() != nil {
		t.Errorf("after the end comes %q (%v)", s.lines.Text(), s.lines.Err())
	}
	until(t, "the old version to end", func() bool { return len(a.processes(first)) == 0 })

	s = a.stream()
	a.send(http.MethodPost, "/again")
	s.expect("data: 2 /again")
	a.stop()
	s.expect("event: bye")
	if got := a.get("/"); got.status != http.StatusServiceUnavailable {
		t.Errorf("a stopped app answers %d %s", got.status, got.body)
	}
	if left := a.processes(""); len(left) > 0 {
		t.Errorf("a stopped app has processes: %v", left)
	}
}
