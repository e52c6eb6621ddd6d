package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// fetch requests a URL.
func fetch(t *testing.T, url string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(body)}
}

// inspected starts a server with metrics and profiles.
func inspected(t *testing.T, flags ...string) *server {
	t.Helper()
	s := run(t, "serve", 5, append(flags, "--metrics-addr", "127.0.0.1:0", "--pprof-addr", "127.0.0.1:0")...)
	s.run(password+"\n", "users", "add", user, "--new-password-file", "-", "--data", s.data)
	return s
}

// Metrics count what the server does, on a listener of their own.
func TestMetrics(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := inspected(t, h.flags()...)
	repo := h.repository("counted")
	repo.hook(s)
	repo.commit("first", map[string]string{"package.json": packageJSON("counted"), "index.js": node("counted")})
	if got := answered(repo.pushed()); got.status != http.StatusOK {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	reader := s.open(t.Context(), request{path: "/1/status/" + user + "/changes?feed=continuous"})
	defer reader.Body.Close() //nolint:errcheck // only read

	page := ""
	// The worker counts an outcome after the sender has been answered.
	eventually(t, "the outcome is counted", func() bool {
		got := fetch(t, s.found["metrics"])
		page = got.body
		return got.status == http.StatusOK && strings.Contains(page, `webhooks_outcomes_total{code="ok",status="ok"} 1`)
	}, func() string { return page })
	for _, line := range []string{
		`webhooks_deliveries_total{code="ok",event="push",provider="github"} 1`,
		`webhooks_step_duration_seconds_count{state="ok",step="upload"} 1`,
		`webhooks_store_call_duration_seconds_count{call="accept"} 2`, // with the ping of the new hook
		`webhooks_http_requests_total{method="POST",route="/1/deploy",status="200"} 2`,
		`webhooks_queue_entries{state="ready"} 0`,
		`webhooks_queue_oldest_age_seconds 0`,
		`webhooks_feed_readers 1`,
		`webhooks_drones_ready 1`,
		`webhooks_drones_wanted 1`,
		`webhooks_apps{state="started"} 1`,
	} {
		if !strings.Contains(page, "\n"+line+"\n") {
			t.Errorf("no line %q in:\n%s", line, page)
		}
	}
	if names := regexp.MustCompile(`\b(dscape|counted)\b`).FindString(page); names != "" {
		t.Errorf("the metrics name the user or the app: %q", names)
	}
	if got := s.send(request{path: "/metrics"}); got.status != http.StatusNotFound {
		t.Errorf("the API answers %d to /metrics", got.status)
	}
}

// Profiles are served on a listener of their own, without the command line, which
// other users of the machine need not see.
func TestProfiles(t *testing.T) {
	t.Parallel()
	s := inspected(t)
	for path, want := range map[string]int{"": 200, "goroutine?debug=1": 200, "heap": 200, "profile?seconds=1": 200, "cmdline": 404} {
		if got := fetch(t, s.found["pprof"]+path); got.status != want || want == 200 && got.body == "" {
			t.Errorf("%s answers %d, want %d", path, got.status, want)
		}
	}
	if got := s.send(request{path: "/debug/pprof/"}); got.status != http.StatusNotFound {
		t.Errorf("the API answers %d to /debug/pprof/", got.status)
	}
}

// An app on the machine can't inspect the server that runs it, unless it has the
// same user: a server that is not root can't tell them apart.
func TestAppsMayNotInspect(t *testing.T) {
	t.Parallel()
	want := "got 403"
	if os.Getuid() != 0 {
		want = "got 200"
	}
	h := github(t)
	s := inspected(t, h.flags()...)
	repo := h.repository("curious")
	repo.hook(s)
	for _, of := range []string{"metrics", "pprof"} {
		repo.commit(of, map[string]string{"package.json": packageJSON("curious"), "index.js": fmt.Sprintf(`
			require('http').createServer(async (req, res) => res.end('got ' + (await fetch(%q)).status)).listen(process.env.PORT)`, s.found[of])})
		if got := answered(repo.pushed()); got.status != http.StatusOK {
			t.Fatalf("got %d %s", got.status, got.body)
		}
		if got := s.app("curious.localhost"); got.body != want {
			t.Errorf("the app %s from %s, want it %s", got.body, of, want)
		}
	}
}
