package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

// Repositories, and answers of GitHub, that no app can be deployed from.
func TestUnusableSources(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags("--retry-delays", "10ms,20ms")...)
	for name, test := range map[string]struct {
		files  map[string]string
		fault  string // a part of the path that GitHub fails at
		answer int
		header http.Header
		status int
		code   string
		detail string // a part of it
	}{
		"damaged-tarball": {fault: "/legacy.tar.gz", answer: 200, status: 500, code: "deploy:tar:corrupt", detail: "gzip"},
		"too-many":        {files: manyFolders(), status: 500, code: "deploy:tar:too_large", detail: "more than 50000"},
		"empty-tarball":   {files: map[string]string{".gitattributes": "* export-ignore\n"}, status: 500, code: "deploy:tar:no_package"},
		"elsewhere": {
			fault: "/tarball/", answer: 302, header: http.Header{"Location": {"http://127.0.0.2:9/x.tar.gz?token=canary"}},
			status: 502, code: "deploy:github:download_tarball", detail: "127.0.0.2",
		},
		"archive-forbids":  {fault: "/legacy.tar.gz", answer: 403, status: 502, code: "deploy:github:download_tarball", detail: "403"},
		"github-is-down":   {fault: "/contents/.travis.yml", answer: 503, status: 502, code: "deploy:gate:failed", detail: "503"},
		"github-is-down-2": {fault: "/contents/package.json", answer: 500, status: 502, code: "deploy:github:no_pkg_json", detail: "500"},
		"large-package":    {files: map[string]string{"package.json": `{"name":"large-package","x":"` + strings.Repeat("x", 2<<20) + `"}`}, status: 502, code: "deploy:github:no_pkg_json", detail: "1 MiB"},
		"no-json":          {files: map[string]string{"package.json": `{"name":`}, status: 400, code: "deploy:package:invalid", detail: "JSON"},
		"bad-name":         {files: map[string]string{"package.json": `{"name":"../x"}`}, status: 400, code: "deploy:package:invalid", detail: "invalid app name"},
		"array":            {files: map[string]string{"package.json": `["array"]`}, status: 400, code: "deploy:package:invalid", detail: "JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			repo := h.repository(name)
			files := map[string]string{"package.json": packageJSON(name), "index.js": node(name)}
			maps.Copy(files, test.files)
			commit := repo.commit("first", files)
			if test.fault != "" {
				h.Fail(func(r *http.Request) bool {
					return strings.Contains(r.URL.Path, "/"+name+"/") && strings.Contains(r.URL.Path, test.fault)
				}, always, test.answer, test.header)
			}
			failed := s.send(repo.delivery(t, commit, "", nil)).failure(t, test.status, test.code)
			doc := s.entry(failed)
			failure, _ := doc["error"].(map[string]any)
			detail, _ := failure["detail"].(string)
			if !strings.Contains(detail, test.detail) || strings.Contains(detail, "canary") {
				t.Errorf("got detail %q, want one with %q", detail, test.detail)
			}
			steps, _ := doc["steps"].([]any)
			last, _ := steps[len(steps)-1].(map[string]any)
			if last["state"] != "failed" && last["state"] != "retry" {
				t.Errorf("the last step did not fail: %v", last)
			}
			if app := s.app(name + ".localhost"); app.status == 200 {
				t.Errorf("the app answers %d %s", app.status, app.body)
			}
		})
	}
}

// GitHub's events for branches and tags: only pushes to one branch are deployed.
func TestRefs(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags()...)
	repo := h.repository("refs")
	all := sim.HookOptions{ContentType: "form", Events: []string{"*"}}
	for _, to := range []string{s.deployURL(), s.deployURL() + "?branch=feature&app=refs"} { // the app is the other branch's
		if ping, err := h.Hook(t.Context(), user, "refs", to, all); err != nil || ping.Status != 200 {
			t.Fatalf("the ping: %d %s, %v", ping.Status, ping.Body, err)
		}
	}
	// pushed wants the outcomes of all deliveries, those of a ref together.
	pushed := func(wanted ...string) {
		t.Helper()
		deliveries, err := h.Pushed(t.Context(), user, "refs")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range deliveries {
			change := answered(d).json(t)
			status, _ := change["status"].(string)
			got = append(got, d.Event+" "+status)
			if reason, _ := change["reason"].(string); status != "ok" && reason == "" {
				t.Errorf("%s has no reason: %v", d.Event, change)
			}
		}
		if strings.Join(got, ", ") != strings.Join(wanted, ", ") {
			t.Errorf("got %q, want %q", got, wanted)
		}
	}
	app := func(want string) {
		t.Helper()
		if app := s.app("refs.localhost"); app.body != want {
			t.Errorf("the app answers %d %s, want %s", app.status, app.body, want)
		}
	}
	repo.commit("first", map[string]string{"package.json": packageJSON("refs"), "index.js": node("main")})
	pushed("create ignored", "create ignored", "push ok", "push ignored")
	app("main")
	repo.git("checkout", "--quiet", "-b", "feature")
	repo.commit("second", map[string]string{"index.js": node("feature")})
	pushed("create ignored", "create ignored", "push ignored", "push ok")
	app("feature")
	repo.git("tag", "--annotate", "--message", "x", "v1")
	repo.git("push", "--quiet", repo.remote, "v1")
	pushed("create ignored", "create ignored", "push ignored", "push ignored")
	repo.git("push", "--quiet", repo.remote, ":feature", ":v1")
	pushed("delete ignored", "delete ignored", "push ignored", "push ignored", "delete ignored", "delete ignored", "push ignored", "push ignored")
	for _, name := range []string{"pull_request", "issues", "star", "a_new_one"} {
		deliveries, err := h.Send(t.Context(), user, "refs", name, []byte(`{"action":"opened","repository":{"name":"refs","owner":{"login":"dscape"}},"pull_request":{"number":1,"draft":true}}`))
		if err != nil || len(deliveries) != 2 {
			t.Fatalf("got %d deliveries, %v", len(deliveries), err)
		}
		for _, d := range deliveries {
			answered(d).change(t, 200, "ignored")
		}
	}
	app("feature")
}

// The signature of a delivery is verified if its user has a secret.
func TestGitHubSignatures(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ping := func(query, signature string, anonymous bool) answer {
		header := event("ping")
		if signature != "" {
			header["X-Hub-Signature-256"] = signature
		}
		return s.send(request{path: "/1/deploy" + query, body: `{"zen":"x","hook_id":1}`, header: header, anonymous: anonymous})
	}
	wrong := "sha256=" + strings.Repeat("0", 64)
	doc := s.entry(ping("", wrong, false).change(t, 200, "ok"))
	if notes, _ := doc["notes"].([]any); doc["signature"] != "unchecked" || len(notes) != 1 {
		t.Errorf("a signature without a secret to check it by: %v %v", doc["signature"], doc["notes"])
	}
	ping("?user="+user, wrong, true).failure(t, 401, "deploy:auth:bad_creds")
	old := event("ping")
	old["X-Hub-Signature"] = "sha1=" + strings.Repeat("0", 40)
	doc = s.entry(s.send(request{path: "/1/deploy", body: `{"zen":"x","hook_id":1}`, header: old}).change(t, 200, "ok"))
	if notes, _ := doc["notes"].([]any); doc["signature"] != "weak" || len(notes) != 1 || !strings.Contains(notes[0].(string), "SHA-1") {
		t.Errorf("a signature with SHA-1 alone: %v %v", doc["signature"], doc["notes"])
	}

	s.run("", "secrets", "add", user, "github", "--data", s.data)
	ping("", wrong, false).failure(t, 401, "deploy:auth:bad_signature") // beside good credentials
	ping("?user="+user, wrong, true).failure(t, 401, "deploy:auth:bad_signature")
	ping("?user="+user, "", true).failure(t, 401, "deploy:auth:bad_creds")
	ping("", "", false).change(t, 200, "ok")

	s.run("", "secrets", "add", user, "strict", "--required", "--data", s.data)
	ping("", "", false).failure(t, 401, "deploy:auth:bad_signature")
	s.run("", "secrets", "remove", user, "strict", "--data", s.data)
	ping("", "", false).change(t, 200, "ok")
}

// A public repository is deployed although GitHub refuses the user's token.
func TestRevokedToken(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags()...)
	h.AddUser(user, "ghp_soon_gone", []string{"repo"})
	if got := s.send(request{path: "/1/auth/github", body: `{"credentials":"dscape:ghp_soon_gone"}`}); got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	h.RevokeToken("ghp_soon_gone")
	repo := h.repository("public")
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("public"), "index.js": node("public")})
	doc := s.entry(s.send(repo.delivery(t, commit, "", nil)).change(t, 200, "ok"))
	if notes, _ := doc["notes"].([]any); len(notes) != 1 || !strings.Contains(notes[0].(string), "pair your account again") {
		t.Errorf("got notes %v", doc["notes"])
	}
}

// Two users can not have the same address for an app; the second one is refused.
func TestSubdomainInUse(t *testing.T) {
	t.Parallel()
	eachRunner(t, subdomainInUse)
}

func subdomainInUse(t *testing.T, flags ...string) {
	h := github(t)
	s := serve(t, h.flags(flags...)...)
	repo := h.repository("taken")
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("taken"), "index.js": node("mine")})
	s.send(repo.delivery(t, commit, "", nil)).change(t, 200, "ok")
	s.run("another password\n", "users", "add", "other", "--new-password-file", "-", "--data", s.data)
	theirs := repo.delivery(t, commit, "", nil)
	theirs.credentials = "other:another password"
	s.send(theirs).failure(t, 500, "deploy:nodejitsu:start_app")
	if app := s.app("taken.localhost"); app.body != "mine" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}
}

// A deployment that ends the server again and again is given up.
func TestInterruptedTooOften(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags()...)
	repo := h.repository("deadly")
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("deadly"), "index.js": node("x")})
	arrived, release := h.Hold(sim.Matching("GET", "/contents/package.json"))
	id, _ := s.send(repo.delivery(t, commit, "one", async())).change(t, 202, "pending")["id"].(string)
	for range 6 {
		<-arrived
		s.kill()
		release()
		arrived, release = h.Hold(sim.Matching("GET", "/contents/package.json"))
		s.start()
	}
	defer release()
	failed := s.outcome(id, "error")
	if failed["error"] != "deploy:worker:interrupted" {
		t.Errorf("got %v", failed)
	}
	// Another delivery of it is another attempt of the same entry.
	release()
	again := s.send(repo.delivery(t, commit, "one", nil)).change(t, 200, "ok")
	if base := filepath.Base(id); filepath.Base(again["id"].(string)) != base {
		t.Errorf("got %v, want %s", again["id"], base)
	}
}

// manyFolders is a tree with more entries than are allowed, of few files.
func manyFolders() map[string]string {
	files := map[string]string{}
	for i := range 850 {
		files[fmt.Sprintf("%d/%sx", i, strings.Repeat("d/", 60))] = "x"
	}
	return files
}
