package e2e

import (
	"crypto/rand"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Snapshots stay within the disk budget, without one that is needed being removed. If
// the needed ones alone nearly use it, the server says so wherever its operator looks,
// and deploys all the same.
func TestDiskBudget(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := inspected(t, h.flags("--disk-budget", "40", "--keep-snapshots", "50")...)
	repo := h.repository("large")
	repo.hook(s)
	deploy := func(text string) {
		t.Helper()
		// Each version uses about 10 MiB, half of it the archive.
		repo.commit(text, map[string]string{"package.json": packageJSON("large"), "index.js": node(text), "random": random(5 << 20)})
		if got := answered(repo.pushed()); got.status != http.StatusOK {
			t.Fatalf("deploying %s: %d %s", text, got.status, got.body)
		}
	}
	metric := func(name string) float64 {
		t.Helper()
		found := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(fetch(t, s.found["metrics"]).body)
		if found == nil {
			t.Fatalf("no metric %s", name)
		}
		value, err := strconv.ParseFloat(found[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	const limit = 40 << 20
	for _, text := range []string{"one", "two", "three", "four", "five", "six"} {
		deploy(text)
		eventually(t, "the budget has room after "+text, func() bool {
			used := metric("webhooks_disk_used_bytes")
			return used > 0 && used <= limit*0.9
		}, s.stderr)
	}
	eventually(t, "snapshots are removed", func() bool { return strings.Count(s.stderr(), "old snapshot removed to free disk space") >= 2 }, s.stderr)
	if got := metric("webhooks_disk_budget_bytes"); got != limit {
		t.Errorf("the budget is %g bytes", got)
	}
	page := s.dashboard()
	if got := s.send(request{path: "/readyz", anonymous: true}); got.status != http.StatusOK || strings.Contains(got.body, "budget") || strings.Contains(page("/"), "budget") {
		t.Errorf("a warning while there is room: %s\n%s", got.body, page("/"))
	}
	s.run(password+"\n", "rollback", "large", "--to", s.platform, "--user", user, "--password-file", "-")
	if got := s.app("large.localhost"); got.body != "five" {
		t.Errorf("after a rollback the app answers %q", got.body)
	}

	// What is needed nearly uses a smaller budget.
	s.stop()
	s.flags = append(s.flags, "--disk-budget", "20")
	s.start()
	const want = "of the disk budget of 20 MiB"
	eventually(t, "a warning", func() bool { return strings.Contains(s.send(request{path: "/readyz", anonymous: true}).body, want) }, s.stderr)
	if !strings.Contains(s.dashboard()("/"), want) {
		t.Errorf("the dashboard has no warning: %s", page("/"))
	}
	if used := metric("webhooks_disk_used_bytes"); used <= 0.9*20<<20 || metric("webhooks_disk_budget_bytes") != 20<<20 {
		t.Errorf("the metrics have %g bytes, about which no alert is raised", used)
	}
	if found := s.run("", "doctor", "--data", s.data, "--disk-budget", "20", "--github-url", h.URL(), "--output", "json"); !strings.Contains(found, "of 20 MiB") || !strings.Contains(found, "raise --disk-budget") {
		t.Errorf("doctor finds %s", found)
	}
	repo.commit("seven", map[string]string{"index.js": node("seven")})
	s.run(password+"\n", "deploy", repo.work, "--to", s.platform, "--user", user, "--password-file", "-")
	if got := s.app("large.localhost"); got.body != "seven" {
		t.Errorf("the app answers %q", got.body)
	}
}

// random returns text that can't be compressed much.
func random(size int) string {
	text := make([]byte, size)
	_, _ = rand.Read(text) // it never fails
	return string(text)
}

// dashboard signs in to the dashboard, and returns a function that returns the page at
// a path.
func (s *server) dashboard() (page func(path string) string) {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Transport: s.client().Transport}
	send := func(method, path string, form url.Values) string {
		s.t.Helper()
		r, err := http.NewRequestWithContext(s.t.Context(), method, s.api+path, strings.NewReader(form.Encode()))
		if err != nil {
			s.t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "text/html")
		response, err := browser.Do(r)
		if err != nil {
			s.t.Fatal(err)
		}
		defer response.Body.Close() //nolint:errcheck // only read
		var body strings.Builder
		if err := response.Write(&body); err != nil || response.StatusCode != http.StatusOK {
			s.t.Fatalf("%s %s: %s, %v", method, path, response.Status, err)
		}
		return body.String()
	}
	token := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(send(http.MethodGet, "/-/sign-in", nil))
	if token == nil {
		s.t.Fatal("the page for signing in has no form")
	}
	send(http.MethodPost, "/-/sign-in", url.Values{"token": {token[1]}, "user": {user}, "password": {password}})
	return func(path string) string { return send(http.MethodGet, path, nil) }
}
