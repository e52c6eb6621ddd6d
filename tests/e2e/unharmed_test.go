package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// steady requests an app until the test calls the function that it returns, which
// returns the number of answers that were body, and all others.
func (s *server) steady(host, body string) (ended func() (good int64, bad []string)) {
	ctx, stop := context.WithCancel(s.t.Context())
	var (
		count   atomic.Int64
		mu      sync.Mutex
		others  []string
		working sync.WaitGroup
	)
	once := func(client *http.Client) string {
		req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, "http://"+s.apps, http.NoBody)
		if err != nil {
			return err.Error()
		}
		req.Host = host
		resp, err := client.Do(req)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close() //nolint:errcheck // only read
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			return fmt.Sprintf("%d %s %v", resp.StatusCode, text, err)
		}
		return string(text)
	}
	for _, closing := range []bool{false, true} {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: closing}}
		working.Go(func() {
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				got := once(client)
				if got == body {
					count.Add(1)
					continue
				}
				mu.Lock()
				others = append(others, got)
				mu.Unlock()
			}
		})
	}
	s.t.Cleanup(stop)
	return func() (int64, []string) {
		stop()
		working.Wait()
		return count.Load(), others
	}
}

// A commit that can't be fetched, or whose archive is not what it should be, and one
// whose release command fails, cost the version that runs no request, and change
// nothing of it.
func TestFailuresHarmNothing(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags("--retry-delays", "10ms")...)
	repo := h.repository("unharmed")
	manifest := func(env, subdomain string) string {
		return `{"name":"unharmed","version":"1.0.0","subdomain":"` + subdomain + `","domains":["` + subdomain + `.example"],"env":{"MODE":"` + env + `"},"scripts":{"start":"node index.js"}}`
	}
	answering := `require('node:http').createServer((q, r) => r.end(process.env.MODE)).listen(process.env.PORT);` + strings.Repeat("//\n", 9999)
	commit := repo.commit("good", map[string]string{"package.json": manifest("good", "unharmed"), "index.js": answering})
	s.send(repo.delivery(t, commit, "good", nil)).change(t, 200, "ok")
	described := func() string {
		var answer struct {
			App struct {
				Subdomain, Version, State string
				Domains                   []string
				Env                       map[string]string
				Active, Running           struct{ ID string }
			}
		}
		platform := &server{t: t, api: s.platform}
		got := platform.send(request{path: "/apps/" + user + "/unharmed"})
		if err := json.Unmarshal([]byte(got.body), &answer); err != nil || got.status != 200 {
			t.Fatalf("got %d %s: %v", got.status, got.body, err)
		}
		return fmt.Sprintf("%+v", answer)
	}
	before := described()
	ended := s.steady("unharmed.localhost", "good")

	for name, test := range map[string]struct {
		fault  string
		answer int
		header http.Header
		files  map[string]string
		code   string
		status int
	}{
		"no package.json":             {fault: "/contents/package.json", answer: 404, code: "deploy:github:no_pkg_json", status: 502},
		"no archive":                  {fault: "/tarball/", answer: 404, code: "deploy:github:download_tarball", status: 502},
		"no archive at its address":   {fault: "/legacy.tar.gz", answer: 404, code: "deploy:github:download_tarball", status: 502},
		"an archive that is cut off":  {fault: "/legacy.tar.gz", code: "deploy:github:download_tarball", status: 502},
		"an archive that is not gzip": {fault: "/legacy.tar.gz", answer: 200, code: "deploy:tar:corrupt", status: 500},
		"an archive elsewhere": {
			fault: "/tarball/", answer: 302, header: http.Header{"Location": {"http://127.0.0.2:9/x.tar.gz"}},
			code: "deploy:github:download_tarball", status: 502,
		},
		"an archive without package.json": {files: map[string]string{".gitattributes": "package.json export-ignore\n"}, code: "deploy:nodejitsu:upload_tarball", status: 502},
		"a name that can't be unpacked":   {files: map[string]string{`..\x`: "x"}, code: "deploy:tar:unsafe", status: 500},
		"a release command that fails":    {files: map[string]string{"Procfile": "web: node index.js\nrelease: echo the database is locked; exit 7\n"}, code: "deploy:nodejitsu:start_app", status: 500},
	} {
		files := map[string]string{"package.json": manifest("bad", "other"), "Procfile": "web: node index.js\n", ".gitattributes": ""}
		maps.Copy(files, test.files)
		repo.git("rm", "--quiet", "--ignore-unmatch", "*x")
		commit := repo.commit(name, files)
		var over atomic.Bool
		if test.fault != "" {
			h.Fail(func(r *http.Request) bool { return !over.Load() && strings.Contains(r.URL.Path, test.fault) }, always, test.answer, test.header)
		}
		failure := s.send(repo.delivery(t, commit, name, nil)).failure(t, test.status, test.code)
		over.Store(true)
		if reason, _ := failure["reason"].(string); test.code == "deploy:nodejitsu:start_app" && !strings.Contains(reason, "the database is locked") {
			t.Errorf("%s: the reason is %q", name, reason)
		}
		if now := described(); now != before {
			t.Errorf("%s: the app is described as %s, before as %s", name, now, before)
		}
	}
	if good, bad := ended(); good == 0 || len(bad) > 0 {
		t.Errorf("%d answers were right, %d were not: %.1000q", good, len(bad), bad)
	}
	// What was left of a fault must not fail the next push.
	repo.git("rm", "--quiet", "--ignore-unmatch", "*x")
	commit = repo.commit("better", map[string]string{"package.json": manifest("better", "unharmed"), "Procfile": "web: node index.js\n", ".gitattributes": ""})
	s.send(repo.delivery(t, commit, "better", nil)).change(t, 200, "ok")
	if app := s.app("unharmed.localhost"); app.body != "better" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}
}
