package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/tools/forgesim"
)

// otherForge is a stand-in for a forge with a private repository.
type otherForge struct {
	*forgesim.Server
	kind   forgesim.Kind
	auth   string // of POST /1/auth/:forge
	owner  string
	name   string
	remote string
	work   string
}

func newOtherForge(t *testing.T, kind forgesim.Kind) *otherForge {
	t.Helper()
	s, err := forgesim.New(t.Context(), kind, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	f := &otherForge{Server: s, kind: kind, auth: "gitea", owner: "acme", name: "on-" + string(kind), work: t.TempDir()}
	switch kind {
	case forgesim.GitLab:
		f.auth, f.owner = "gitlab", "acme/web"
	case forgesim.Bitbucket, forgesim.DataCenter:
		f.auth = "bitbucket"
	}
	s.AddUser("ada", "me@example.com:canary-"+string(kind))
	if f.remote, err = s.CreateRepository(t.Context(), f.owner, f.name, true); err != nil {
		t.Fatal(err)
	}
	f.git(t, "init", "--quiet", "--initial-branch", "main")
	return f
}

func (f *otherForge) git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = f.work
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit commits an app that answers with a text, and pushes it.
func (f *otherForge) commit(t *testing.T, text string) {
	t.Helper()
	for name, content := range map[string]string{"package.json": packageJSON(f.name), "index.js": node(text)} {
		if err := os.WriteFile(filepath.Join(f.work, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.git(t, "add", "--all")
	f.git(t, "commit", "--quiet", "--message", text)
	f.git(t, "push", "--quiet", f.remote, "HEAD")
}

// push does so, has the push delivered, and returns the commit and the id of the entry.
func (f *otherForge) push(t *testing.T, text string) (commit, id string) {
	t.Helper()
	f.commit(t, text)
	sent, err := f.Pushed(t.Context(), f.owner, f.name)
	if err != nil || len(sent) != 1 {
		t.Fatalf("got %v, %v", sent, err)
	}
	change := answer{sent[0].Status, sent[0].Header, string(sent[0].Body)}.change(t, http.StatusAccepted, "pending")
	id, _ = change["id"].(string)
	return f.git(t, "rev-parse", "HEAD"), id
}

// check sets the check of a commit.
func (f *otherForge) check(t *testing.T, c forgesim.Check) forgesim.Check {
	t.Helper()
	c, sent, err := f.SetCheck(t.Context(), f.owner, f.name, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range sent {
		if d.Status != http.StatusOK && d.Status != http.StatusAccepted {
			t.Errorf("%s was answered with %d %s", d.Event, d.Status, d.Body)
		}
	}
	return c
}

// A push to each of the other forges deploys an app of a private repository with the
// access token that its user paired, once its checks have passed, also if they failed
// before. A delivery that is repeated is the same one.
func TestPushesToOtherForgesDeploy(t *testing.T) {
	t.Parallel()
	// What GitLab has is one pipeline anyway; the others' checks are named, so that events
	// alone decide.
	gates := map[forgesim.Kind]string{
		forgesim.GitLab: "checks", forgesim.Bitbucket: "status:ci", forgesim.Gitea: ".gitea/workflows/ci.yml", forgesim.Forgejo: ".gitea/workflows/ci.yml",
	}
	states := map[forgesim.Kind][3]string{ // that is running, failed and passed
		forgesim.GitLab: {"running", "failed", "success"}, forgesim.Bitbucket: {"INPROGRESS", "FAILED", "SUCCESSFUL"},
		forgesim.Gitea: {"in_progress", "failure", "success"}, forgesim.Forgejo: {"in_progress", "failure", "success"},
	}
	var all []*otherForge
	var settings []string
	for _, kind := range []forgesim.Kind{forgesim.GitLab, forgesim.Gitea, forgesim.Forgejo, forgesim.Gogs, forgesim.Bitbucket, forgesim.DataCenter} {
		f := newOtherForge(t, kind)
		all = append(all, f)
		settings = append(settings, string(kind)+"="+f.URL())
	}
	s := serve(t, "--forges", strings.Join(settings, ","), "--gate-interval", "1h", "--wait", "0s")
	for _, f := range all {
		credentials := `{"credentials":"ada:me@example.com:`
		refused := s.send(request{path: "/1/auth/" + f.auth + "?forge=" + f.Host(), body: credentials + `canary-wrong"}`})
		refused.wants(t, string(f.kind), "", "auth:forge:pairing_failed")
		paired := s.send(request{path: "/1/auth/" + f.auth + "?forge=" + f.Host(), body: credentials + "canary-" + string(f.kind) + `"}`})
		if paired.status != http.StatusOK || !strings.Contains(paired.body, `"login":"ada"`) || strings.Contains(paired.body, "canary") {
			t.Fatalf("%s: got %d %s", f.kind, paired.status, paired.body)
		}
	}
	for _, f := range all {
		t.Run(string(f.kind), func(t *testing.T) {
			t.Parallel()
			secret := strings.TrimSpace(s.run("", "secrets", "add", user, string(f.kind), "--data", s.data))
			to := s.api + "/1/deploy?user=" + user
			if gates[f.kind] != "" { // Gogs has no checks, and Data Center no events of them
				to += "&gate=" + gates[f.kind]
			}
			if err := f.Hook(f.owner, f.name, to, secret); err != nil {
				t.Fatal(err)
			}
			commit, id := f.push(t, "first")
			if again, err := f.Repeat(t.Context(), f.owner, f.name); err != nil {
				t.Error(err)
			} else if got := (answer{again.Status, again.Header, string(again.Body)}).json(t); got["id"] != id {
				t.Errorf("the delivery has the entry %s, and repeated %v", id, got["id"])
			}
			words, gated := states[f.kind]
			if gated {
				c := f.check(t, forgesim.Check{SHA: commit, State: words[0]})
				s.until(id, "the run", func(change map[string]any) bool { // Forgejo has no event of its beginning
					return change["status"] == "held" && (f.kind == forgesim.Forgejo || !strings.Contains(reason(change), "a run of"))
				})
				c.State = words[2]
				f.check(t, c)
			}
			s.outcome(id, "ok")
			if app := s.app(f.name + ".localhost"); app.body != "first" {
				t.Errorf("the app answers %d %s", app.status, app.body)
			}
			if gated {
				if got := f.Statuses(f.owner, f.name, commit); len(got) != 2 {
					t.Errorf("got the statuses %+v, want that it began and that it succeeded", got)
				}
				commit, id = f.push(t, "second")
				c := f.check(t, forgesim.Check{SHA: commit, State: words[1]})
				if change := s.outcome(id, "skipped"); !strings.Contains(reason(change), "did not pass") {
					t.Errorf("got %v", change["reason"])
				}
				if app := s.app(f.name + ".localhost"); app.body != "first" {
					t.Errorf("the app answers %d %s", app.status, app.body)
				}
				c.State = words[2] // it was run again
				f.check(t, c)
				s.outcome(id, "ok")
				if app := s.app(f.name + ".localhost"); app.body != "second" {
					t.Errorf("the app answers %d %s", app.status, app.body)
				}
			}
		})
	}
	if strings.Contains(s.stderr(), "canary") {
		t.Error("the log has a token")
	}
}

// Data Center sends no event of a build status, so a push that waits for one is looked at
// from time to time. It describes the commit, whose message may ask for no deployment.
func TestDataCenterChecks(t *testing.T) {
	t.Parallel()
	f := newOtherForge(t, forgesim.DataCenter)
	s := serve(t, "--forges", "bitbucket-dc="+f.URL(), "--gate-interval", "100ms", "--wait", "0s")
	if got := s.send(request{path: "/1/auth/bitbucket", body: `{"credentials":"ada:me@example.com:canary-bitbucket-dc"}`}); got.status != http.StatusOK {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	secret := strings.TrimSpace(s.run("", "secrets", "add", user, "dc", "--data", s.data))
	if err := f.Hook(f.owner, f.name, s.api+"/1/deploy?gate=status:ci&user="+user, secret); err != nil {
		t.Fatal(err)
	}
	commit, id := f.push(t, "first")
	c := f.check(t, forgesim.Check{SHA: commit, State: "INPROGRESS"})
	s.until(id, "the build", func(change map[string]any) bool { return change["status"] == "held" })
	c.State = "SUCCESSFUL"
	f.check(t, c)
	s.outcome(id, "ok")
	if got := f.Statuses(f.owner, f.name, commit); len(got) != 2 || got[0].State != "SUCCESSFUL" {
		t.Errorf("got the statuses %+v", got)
	}
	f.commit(t, "docs [skip deploy]")
	sent, err := f.Pushed(t.Context(), f.owner, f.name)
	if err != nil || len(sent) != 1 {
		t.Fatalf("got %v, %v", sent, err)
	}
	change := answer{sent[0].Status, sent[0].Header, string(sent[0].Body)}.change(t, http.StatusOK, "skipped")
	if !strings.Contains(reason(change), "asks for no deployment") {
		t.Errorf("got %v", change)
	}
}
