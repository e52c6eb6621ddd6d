package e2e

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// echoing returns a way to a server. A request is answered with a refusal that
// repeats all of its headers if its method and path contain what the returned
// value holds.
func echoing(t *testing.T, to string) (*httptest.Server, *atomic.Value) {
	t.Helper()
	var chosen atomic.Value
	chosen.Store("nothing")
	next := forwarded(t, to)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		part, _ := chosen.Load().(string)
		if !strings.Contains(r.Method+" "+r.URL.Path, part) {
			next.ServeHTTP(w, r)
			return
		}
		said := "you sent"
		for name, values := range r.Header {
			said += " " + name + ": " + strings.Join(values, ", ")
			said += " " + base64.StdEncoding.EncodeToString([]byte(values[0]))
		}
		if username, password, ok := r.BasicAuth(); ok {
			said += " which is " + username + ":" + password
		}
		message, err := json.Marshal(map[string]string{"error": "invalid", "message": said})
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write(message)
	}))
	t.Cleanup(server.Close)
	return server, &chosen
}

// If GitHub, a platform, or a proxy in front of them repeats a request in its error
// message, no credential gets into the log, an answer, the feed or the store.
func TestRepeatedCredentials(t *testing.T) {
	t.Parallel()
	secrets := marked{"the GitHub token": "ghp_canarycomesback42", "the password": password}
	h := github(t)
	h.AddUser(user, secrets["the GitHub token"], []string{"repo"})
	behind := run(t, "platform", 2)
	behind.run(password+"\n", "users", "add", user, "--new-password-file", "-", "--data", behind.data)
	keyFile := filepath.Join(behind.data, "platform", "platform.key")
	key, err := os.ReadFile(keyFile) //nolint:gosec // the test's own
	if err != nil {
		t.Fatal(err)
	}
	secrets["the platform's key"] = strings.TrimSpace(string(key))
	hub, ofHub := echoing(t, h.URL())
	platform, ofPlatform := echoing(t, behind.platform)
	s := run(t, "serve", 1, "--github-url", hub.URL+"/", "--github-archive-hosts", h.ArchiveHost(),
		"--platform-url", platform.URL, "--platform-key-file", keyFile, "--retry-delays", "10ms")
	if got := s.send(request{path: "/1/auth/github", body: text(t, object{"credentials": user + ":" + secrets["the GitHub token"]})}); got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	var answers strings.Builder
	for name, test := range map[string]struct {
		by   *atomic.Value
		part string
		code string // "" if the deployment succeeds
	}{
		"file":    {ofHub, "/contents/package.json", "deploy:github:no_pkg_json"},
		"fetch":   {ofHub, "/fetch/tarball/", "deploy:github:download_tarball"},
		"pending": {ofHub, "/pending/statuses/", ""},
		"create":  {ofPlatform, "POST /apps/" + user + "/create", "deploy:nodejitsu:start_app"},
		"upload":  {ofPlatform, "/upload/snapshots/", "deploy:nodejitsu:upload_tarball"},
		"start":   {ofPlatform, "/start", "deploy:nodejitsu:start_app"},
	} {
		repo := h.repository(name)
		commit := repo.commit("first", map[string]string{"package.json": packageJSON(name), "index.js": node(name)})
		test.by.Store(test.part)
		got := s.send(repo.delivery(t, commit, name, nil))
		test.by.Store("nothing")
		if failure := got.json(t); failure["error"] != nil && failure["error"] != test.code || failure["error"] == nil && test.code != "" {
			t.Errorf("%s: got %d %s, want %s", name, got.status, got.body, test.code)
		}
		if doc := text(t, s.entry(got.json(t))); test.code != "" && !strings.Contains(doc, "you sent") {
			t.Errorf("%s: what the other side says is not in the entry: %s", name, doc)
		}
		answers.WriteString(got.body)
	}
	for part, r := range map[string]request{
		"GET /auth":        {path: "/1/status/" + user + "/webhooks", credentials: user + ":" + password + " "},
		"POST /users/":     {path: "/1/auth/github", body: text(t, object{"credentials": user + ":" + secrets["the GitHub token"]})},
		"GET /users/":      {path: "/1/deploy", body: `{"zen":"x","hook_id":1}`, header: event("ping")},
		"nothing":          {path: "/1/status/" + user + "/webhooks?limit=100"},
		"nothing, feed":    {path: "/1/status/" + user + "/changes?since=0&feed=normal&include_docs=true"},
		"nothing, metrics": {path: "/readyz", anonymous: true},
	} {
		ofPlatform.Store(part)
		answers.WriteString(s.send(r).body)
		ofPlatform.Store("nothing")
	}
	ofHub.Store("GET /user")
	answers.WriteString(s.send(request{path: "/1/auth/github", body: text(t, object{"credentials": user + ":" + secrets["the GitHub token"]})}).body)
	s.stop()
	store, err := os.ReadFile(s.path())
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]string{"an answer": answers.String(), "the log": s.stderr(), "the store": string(store)}
	for place, content := range places {
		if !strings.Contains(content, "you sent") {
			t.Errorf("what the other side says is not in %s", place)
		}
		for what, form := range secrets.forms() {
			if at := strings.Index(content, string(form)); at >= 0 {
				t.Errorf("%s is in %s: %q", what, place, content[max(at-80, 0):min(at+80, len(content))])
			}
		}
	}
}
