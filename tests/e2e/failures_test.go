package e2e

import (
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

// Each way in which a deployment can fail.
func TestFailedDeployments(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags("--retry-delays", "10ms,20ms")...)
	for name, test := range map[string]struct {
		files   map[string]string
		arrange func(repo string)
		status  int
		code    string
	}{
		"no-package": {files: map[string]string{"index.js": "x"}, status: 502, code: "deploy:github:no_pkg_json"},
		"bad-name":   {files: map[string]string{"package.json": `{"name":"../x"}`}, status: 400, code: "deploy:package:invalid"},
		"no-tarball": {
			files:   map[string]string{"package.json": packageJSON("no-tarball")},
			arrange: func(repo string) { h.Fail(sim.Matching("GET", repo+"/tarball"), 10, 404, nil) },
			status:  502, code: "deploy:github:download_tarball",
		},
		"cut-tarball": {
			files:   map[string]string{"package.json": packageJSON("cut-tarball"), "index.js": node("x") + strings.Repeat("//\n", 9999)},
			arrange: func(repo string) { h.Fail(sim.Matching("GET", repo+"/legacy.tar.gz"), 10, 0, nil) },
			status:  502, code: "deploy:github:download_tarball",
		},
		"no-build": {
			files:  map[string]string{"package.json": `{"name":"no-build","version":"1.0.0","engines":{"node":">=999"}}`},
			status: 502, code: "deploy:nodejitsu:upload_tarball",
		},
		"no-start": {
			files:  map[string]string{"package.json": packageJSON("no-start"), "index.js": "process.exit(3)"},
			status: 500, code: "deploy:nodejitsu:start_app",
		},
	} {
		t.Run(name, func(t *testing.T) {
			repo := h.repository(name)
			repo.h.t = t
			repo.hook(s)
			if test.arrange != nil {
				test.arrange(user + "/" + name)
			}
			repo.commit("first", test.files)
			got := answered(repo.pushed())
			failure := got.json(t)
			if got.status != test.status || failure["error"] != test.code {
				t.Fatalf("got %d %s, want %d %s", got.status, got.body, test.status, test.code)
			}
			id, _ := failure["id"].(string)
			entry := s.send(request{path: strings.TrimPrefix(id, s.api)}).json(t)
			doc, _ := entry["doc"].(map[string]any)
			if entry["status"] != "error" || entry["error"] != test.code || doc["error"] == nil {
				t.Errorf("the entry: %v", entry)
			}
		})
	}
}

// A build that takes too long is the app's fault and not retried.
func TestBuildTimeout(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags("--retry-delays", "1h", "--build-timeout", "1s")...)
	repo := h.repository("hangs")
	repo.hook(s)
	repo.commit("first", map[string]string{
		"package.json": `{"name":"hangs","version":"1.0.0","scripts":{"postinstall":"sleep 1000","start":"node index.js"}}`, "index.js": node("x"),
	})
	got := answered(repo.pushed())
	if got.status != 502 || got.json(t)["error"] != "deploy:nodejitsu:upload_tarball" {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	id, _ := got.json(t)["id"].(string)
	if entry := s.send(request{path: strings.TrimPrefix(id, s.api)}); !strings.Contains(entry.body, "the build took longer than 1s") {
		t.Errorf("the entry doesn't say why: %s", entry.body)
	}
}

// A link that leads out of the tree is left out, with a note. A name that is not
// a valid path is refused before anything is uploaded, with a reason that names it.
func TestHostileRepository(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags()...)
	repo := h.repository("hostile")
	repo.hook(s)
	repo.git("config", "core.symlinks", "true")
	repo.commit("first", map[string]string{"package.json": packageJSON("hostile"), "index.js": node("x")})
	repo.link("../../../../etc", "etc")
	repo.commit("second", nil)
	got := answered(repo.pushed())
	if got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	id, _ := got.json(t)["id"].(string)
	if entry := s.send(request{path: strings.TrimPrefix(id, s.api)}); !strings.Contains(entry.body, `\"etc\" was left out`) {
		t.Errorf("the entry doesn't say what was left out: %s", entry.body)
	}
	repo.commit("third", map[string]string{`..\evil`: "x"})
	got = answered(repo.pushed())
	reason, _ := got.json(t)["reason"].(string)
	if got.status != 500 || got.json(t)["error"] != "deploy:tar:unsafe" || !strings.Contains(reason, `evil`) {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	if app := s.app("hostile.localhost"); app.body != "x" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}
}

// Temporary failures are retried until the deployment succeeds.
func TestTemporaryFailures(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags("--retry-delays", "10ms,20ms,30ms,40ms")...)
	repo := h.repository("flaky")
	repo.hook(s)
	h.Fail(sim.Matching("GET", "/contents/"), 1, 502, nil)
	h.Fail(sim.Matching("GET", "/legacy.tar.gz"), 1, 0, nil)
	h.Fail(sim.Matching("GET", "/tarball/"), 1, 503, nil)
	repo.commit("first", map[string]string{"package.json": packageJSON("flaky"), "index.js": node("there") + strings.Repeat("//\n", 9999)})
	got := answered(repo.pushed())
	if got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	if app := s.app("flaky.localhost"); app.body != "there" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}
}
