package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/tools/forgesim"
	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

// asUserOf are the flags of commands that call the API of s.
func asUserOf(s *server) []string {
	return []string{"--url", s.api, "--user", user, "--password-file", "-"}
}

// A webhook is made with the paired account, changed if it is made again, tested, and
// used.
func TestConnectGitHub(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags("--gate-interval", "1h")...)
	repo := h.repository("connected")
	slug := user + "/connected"
	s.send(request{path: "/1/connect/github?repository=" + slug, method: http.MethodPost}).wants(t, "not paired", "", "connect:account:not_paired")
	s.send(request{path: "/1/connect/github?repository=nothing", method: http.MethodPost}).wants(t, "no repository", "", "connect:params:invalid")
	s.pair(h)
	s.send(request{path: "/1/connect/github?check=true&repository=" + slug, method: http.MethodPost}).wants(t, "not connected", "", "connect:forge:failed")

	first := s.run(password+"\n", append([]string{"connect", "github", slug, "--app", "connected"}, asUserOf(s)...)...)
	if !strings.HasPrefix(first, "made the webhook "+s.api+"/1/deploy?user="+user+"&hook=") || !strings.Contains(first, "test succeeded") {
		t.Errorf("got %s", first)
	}
	repo.commit("first", map[string]string{"package.json": packageJSON("connected"), "index.js": node("first")})
	s.outcome(repo.push(t), "ok")

	again := s.run(password+"\n", append([]string{"connect", "github", slug, "--app", "connected", "--gate", ciYML}, asUserOf(s)...)...)
	if !strings.HasPrefix(again, "changed the webhook ") || !strings.Contains(again, "workflow_run") {
		t.Errorf("got %s", again)
	}
	commit := repo.commit("second", map[string]string{"index.js": node("second")})
	id := repo.push(t)
	s.until(id, "the hold", func(change map[string]any) bool { return change["status"] == "held" })
	repo.run(t, sim.Run{SHA: commit, Conclusion: "success"})
	s.outcome(id, "ok")

	if strings.Contains(first+again+s.stderr(), "ghp_of_the_test") {
		t.Error("the token is shown")
	}
}

// A push that came while the server was down is deployed once the server starts again. A
// delivery that was answered with a failure is delivered again on request only.
func TestMissedDeliveries(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags("--listen", redistest.FreeAddr(t))...)
	s.pair(h)
	repo := h.repository("missed")
	connect := func(flags ...string) string {
		t.Helper()
		return s.run(password+"\n", slices.Concat([]string{"connect", "github", user + "/missed"}, flags, asUserOf(s))...)
	}
	connect()
	repo.commit("without a package.json", map[string]string{"index.js": node("first")})
	if failed := repo.pushed(); failed.Status != http.StatusBadGateway {
		t.Fatalf("got %d %s", failed.Status, failed.Body)
	}

	s.stop()
	repo.commit("second", map[string]string{"package.json": packageJSON("missed"), "index.js": node("second")})
	if sent, err := h.Pushed(t.Context(), user, "missed"); err != nil || len(sent) != 1 || sent[0].Err == nil {
		t.Fatalf("got %+v, %v", sent, err)
	}
	s.start()
	eventually(t, "the missed push is deployed", func() bool { return s.app("missed.localhost").body == "second" }, s.stderr)
	pushes := func() (count int) {
		for _, d := range h.Deliveries() {
			if d.Event == "push" {
				count++
			}
		}
		return count
	}
	eventually(t, "GitHub has the answer", func() bool { return pushes() == 3 }, s.stderr) // the failed one, and the missed one twice
	s.stop()
	s.start()
	eventually(t, "it has looked again", func() bool { return strings.Contains(s.stderr(), "no missed deliveries") }, s.stderr)
	if got := pushes(); got != 3 {
		t.Errorf("%d pushes were delivered", got)
	}
	if got := connect("--check"); got != "1 delivery was sent again\n" {
		t.Errorf("got %s", got)
	}
	if got := pushes(); got != 4 {
		t.Errorf("%d pushes were delivered", got)
	}
}

// The push that a webhook missed that was made by hand is found while the server runs,
// in the repository of a push before it.
func TestMissedDeliveriesByHand(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags("--base-url", "http://hooks.test", "--missed-interval", "100ms")...)
	s.pair(h)
	repo := h.repository("byhand")
	secret := core.NewSecret(strings.TrimSpace(s.run("", "secrets", "add", user, "byhand", "--data", s.data)))
	hook := func(base string) {
		t.Helper()
		if _, err := h.Hook(t.Context(), user, "byhand", base+"/1/deploy?user="+user, sim.HookOptions{Secret: secret, ContentType: "json"}); err != nil {
			t.Fatal(err)
		}
	}
	hook(s.api)
	repo.commit("first", map[string]string{"package.json": packageJSON("byhand"), "index.js": node("first")})
	s.outcome(repo.push(t), "ok")
	hook("http://hooks.test") // no server is there, so GitHub gets no answer
	attempts := func() (count int) {
		for _, d := range h.Deliveries() {
			if d.Event == "push" && strings.HasPrefix(d.URL, "http://hooks.test/") {
				count++
			}
		}
		return count
	}
	repo.commit("second", map[string]string{"index.js": node("second")})
	if _, err := h.Pushed(t.Context(), user, "byhand"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the missed push is asked for again", func() bool { return attempts() > 1 }, s.stderr)
}

// GitLab sends again what no server answered, when the server starts, and enables a
// webhook that it has disabled on request.
func TestMissedDeliveriesOfGitLab(t *testing.T) {
	t.Parallel()
	f := newOtherForge(t, forgesim.GitLab)
	s := serve(t, "--forges", "gitlab="+f.URL(), "--wait", "0s", "--listen", redistest.FreeAddr(t))
	if got := s.send(request{path: "/1/auth/gitlab", body: `{"credentials":"ada:me@example.com:canary-gitlab"}`}); got.status != http.StatusOK {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	connect := func(flags ...string) string {
		t.Helper()
		return s.run(password+"\n", slices.Concat([]string{"connect", "gitlab", f.owner + "/" + f.name}, flags, asUserOf(s))...)
	}
	connect()
	_, id := f.push(t, "first")
	s.outcome(id, "ok")
	serves := func(text string) {
		t.Helper()
		eventually(t, "the app answers "+text, func() bool { return s.app(f.name+".localhost").body == text }, s.stderr)
	}
	serves("first")

	s.stop()
	f.commit(t, "second")
	if sent, err := f.Pushed(t.Context(), f.owner, f.name); err == nil {
		t.Fatalf("got %+v", sent)
	}
	s.start()
	serves("second")
	if got := connect("--check"); got != "no delivery failed\n" {
		t.Errorf("got %s", got)
	}

	if err := f.DisableHooks(f.owner, f.name); err != nil {
		t.Fatal(err)
	}
	f.commit(t, "third")
	if sent, err := f.Pushed(t.Context(), f.owner, f.name); err != nil || len(sent) > 0 {
		t.Fatalf("got %+v, %v", sent, err)
	}
	if got := connect("--check"); got != "1 delivery was sent again\n" {
		t.Errorf("got %s", got)
	}
	serves("third")
}

// Each forge tests its webhook if it has a test; else the server sends one itself. None of
// them deploys anything.
func TestConnectOtherForges(t *testing.T) {
	t.Parallel()
	const (
		byForge = "\nthe forge's test succeeded"
		byUs    = "\nthe server sent a test to the address itself, signed as the forge signs, which succeeded; push something"
	)
	for kind, wants := range map[forgesim.Kind][2]string{ // the first time, and once more
		forgesim.GitLab: {byForge, byForge}, forgesim.DataCenter: {byForge, byForge},
		forgesim.Gitea: {byForge, byUs}, forgesim.Forgejo: {byForge, byUs},
		forgesim.Gogs: {byUs, byUs}, forgesim.Bitbucket: {byUs, byUs},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			f := newOtherForge(t, kind)
			addr := redistest.FreeAddr(t)
			// It sends requests to its own address only if that is named.
			s := serve(t, "--forges", string(kind)+"="+f.URL(), "--wait", "0s", "--listen", addr, "--base-url", "http://"+addr)
			body := `{"credentials":"ada:me@example.com:canary-` + string(kind) + `"}`
			if got := s.send(request{path: "/1/auth/" + f.auth, body: body}); got.status != http.StatusOK {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			f.commit(t, "before it is connected")
			for i, did := range []string{"made", "changed"} {
				got := s.run(password+"\n", append([]string{"connect", f.auth, f.owner + "/" + f.name}, asUserOf(s)...)...)
				if !strings.HasPrefix(got, did+" the webhook ") || !strings.Contains(got, wants[i]) {
					t.Errorf("got %s, want that it is %s and %s", got, did, wants[i])
				}
			}
			if app := s.app(f.name + ".localhost"); app.status == http.StatusOK {
				t.Errorf("the test deployed an app, which answers %s", app.body)
			}
			_, id := f.push(t, "connected")
			s.outcome(id, "ok")
			if app := s.app(f.name + ".localhost"); app.body != "connected" {
				t.Errorf("the app answers %d %s", app.status, app.body)
			}
			if strings.Contains(s.stderr(), "canary-") {
				t.Error("the token is shown")
			}
		})
	}
}
