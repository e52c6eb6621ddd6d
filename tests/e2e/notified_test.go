package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// posted is what a receiver of notifications got.
type posted struct {
	Type string
	Data struct{ ID, Event, Reason string }
}

// informed is a server that notifies its user of outcomes in every way.
type informed struct {
	*server
	h       hub
	letters letters
	posts   chan posted
}

// inform starts one for a user whose account is paired with GitHub.
func inform(t *testing.T, flags ...string) *informed {
	t.Helper()
	s := &informed{h: github(t), posts: make(chan posted, 100)}
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var p posted
		if err == nil {
			err = json.Unmarshal(body, &p)
		}
		if err != nil {
			t.Error(err)
		}
		s.posts <- p
	}))
	t.Cleanup(hook.Close)
	addr, letters := mailbox(t)
	s.letters = letters
	s.server = run(t, "serve", 3, s.h.flags(append(flags, "--smtp-addr", addr, "--smtp-tls", "none", "--smtp-from", "hooks@example.com",
		"--email-success", "--email-errors", "--notify-urls", hook.URL, "--base-url", "https://hooks.example.com")...)...)
	s.run(password+"\n", "users", "add", user, "--email", "dscape@example.org", "--new-password-file", "-", "--data", s.data)
	s.h.AddUser(user, "ghp_of_the_test", []string{"repo"})
	if got := s.send(request{path: "/1/auth/github", body: `{"credentials":"` + user + `:ghp_of_the_test"}`}); got.status != http.StatusOK {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	return s
}

// notified waits until all that an outcome leads to is there, and returns its entry's id:
// a letter with that subject, a post of that type and event, a commit status, and an
// entry that the feed has. All have the reason.
func (s *informed) notified(repo *repository, subject, kind, event, state, commit, reason string) string {
	s.t.Helper()
	s.letter(subject, reason)
	post := next(s.t, "the post about "+subject, s.posts)
	if post.Type != kind || post.Data.Event != event || !strings.Contains(post.Data.Reason, reason) {
		s.t.Errorf("got the post %+v, want %s of %s with %q", post, kind, event, reason)
	}
	entry := s.awaitEntry(post.Data.ID)
	if got, _ := entry["reason"].(string); !strings.Contains(got, reason) {
		s.t.Errorf("the entry is %v, want the reason %q", entry, reason)
	}
	statuses := s.h.Statuses(user, repo.name, commit) // the newest is the first
	if len(statuses) == 0 || statuses[0].State != state || statuses[0].TargetURL == nil || !strings.HasSuffix(*statuses[0].TargetURL, "/-/entries/"+post.Data.ID) {
		s.t.Errorf("the commit's statuses are %+v, want %s", statuses, state)
	}
	return post.Data.ID
}

// letter waits for a letter.
func (s *informed) letter(subject, text string) {
	s.t.Helper()
	got := strings.ReplaceAll(strings.ReplaceAll(next(s.t, "the letter "+subject, s.letters), "=\r\n", ""), "=3D", "=")
	if !strings.HasPrefix(got, "dscape@example.org\n") || !strings.Contains(got, "Subject: "+subject+"\r\n") || !strings.Contains(got, text) {
		s.t.Errorf("got the letter %s, want %q with %q", got, subject, text)
	}
}

// awaitEntry waits until an entry has its outcome, by the feed, and returns it.
func (s *informed) awaitEntry(id string) map[string]any {
	s.t.Helper()
	doc, _ := s.outcome(id, "ok", "error")["doc"].(map[string]any)
	return doc
}

// deployed pushes files, and waits until its outcome is notified.
func (s *informed) deployed(repo *repository, delivery string, files map[string]string) (commit, id string) {
	s.t.Helper()
	commit = repo.commit(delivery, files)
	change := s.send(repo.delivery(s.t, commit, delivery, nil)).change(s.t, 200, "ok")
	if got := s.notified(repo, "Deployed "+repo.name, "deployment.ok", "push", "success", commit, ""); !strings.HasSuffix(change["id"].(string), got) {
		s.t.Errorf("the post is about %s, want %v", got, change["id"])
	}
	return commit, change["id"].(string)
}

// A crash of a version that was accepted leads to all that an outcome does: an
// entry, a change on the feed, a commit status, a letter and a post. So is a version
// that is rolled back by itself.
func TestCrashNotifies(t *testing.T) {
	t.Parallel()
	s := inform(t)
	repo := s.h.repository("mortal")
	mortal := func(text string) map[string]string {
		return map[string]string{"package.json": packageJSON("mortal"), "index.js": `
			require('node:http').createServer((q, r) => {
				if (q.url === '/die') throw new Error('lost the ` + text + `')
				r.end('` + text + `')
			}).listen(process.env.PORT)`}
	}
	die := func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.apps+"/die", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "mortal.localhost"
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // that it was sent is enough
	}

	// Nothing can run again in the place of the first version.
	first, _ := s.deployed(repo, "first", mortal("first"))
	die()
	crash := s.notified(repo, "mortal crashed", "deployment.error", "crash", "failure", first, "exited with code 1")
	entry := s.awaitEntry(crash)
	failure, _ := entry["error"].(map[string]any)
	if detail, _ := failure["detail"].(string); failure["code"] != "deploy:app:crashed" || !strings.Contains(detail, "lost the first") {
		t.Errorf("the entry of the crash is %v", entry)
	}
	eventually(t, "the app is started again", func() bool { return s.app("mortal.localhost").body == "first" }, s.stderr)

	// A version that crashes soon is rolled back, and its delivery has failed.
	second, delivery := s.deployed(repo, "second", mortal("second"))
	die()
	s.notified(repo, "mortal crashed", "deployment.error", "crash", "failure", second, "which ran before, runs again")
	if change := s.outcome(delivery, "error"); change["error"] != "deploy:app:crashed" {
		t.Errorf("the delivery is %v", change)
	}
	eventually(t, "the version before runs again", func() bool { return s.app("mortal.localhost").body == "first" }, s.stderr)
	if len(s.posts)+len(s.letters) > 0 {
		t.Errorf("there are %d more posts and %d more letters", len(s.posts), len(s.letters))
	}
}

// A rollback by hand brings back code, environment and address together. It is notified
// as any outcome is. The entry and the commit of what it replaced say who did it.
func TestRollbackNotifies(t *testing.T) {
	t.Parallel()
	s := inform(t)
	repo := s.h.repository("back")
	version := func(n, subdomain, env string) map[string]string {
		return map[string]string{
			"package.json": `{"name":"back","version":"` + n + `","subdomain":"` + subdomain + `","env":{` + env + `},"scripts":{"start":"node index.js"}}`,
			"index.js":     `require('node:http').createServer((q, r) => r.end(['` + n + `', process.env.FLAG, process.env.NEW, process.env.SET].join())).listen(process.env.PORT)`,
		}
	}
	answers := func(address, want string, status int) {
		t.Helper()
		if got := s.app(address + ".localhost"); got.status != status || status == http.StatusOK && got.body != want {
			t.Errorf("%s answers %d %s, want %d %s", address, got.status, got.body, status, want)
		}
	}
	webhooks := func(args ...string) string {
		t.Helper()
		return s.run(password+"\n", append(args, "--to", s.platform, "--user", user, "--password-file", "-")...)
	}
	first, _ := s.deployed(repo, "first", version("1", "back-1", `"FLAG":"on"`))
	webhooks("apps", "env", "set", "back", "SET=by-hand", "--restart")
	s.notified(repo, "Restarted back", "deployment.ok", "restart", "success", first, user+" restarted snapshot 1-")
	second, replaced := s.deployed(repo, "second", version("2", "back-2", `"NEW":"yes"`))
	answers("back-2", "2,,yes,by-hand", http.StatusOK)
	answers("back-1", "", http.StatusNotFound)

	webhooks("rollback", "back")
	answers("back-1", "1,on,,by-hand", http.StatusOK)
	answers("back-2", "", http.StatusNotFound)
	id := s.notified(repo, "Rolled back back", "deployment.ok", "rollback", "success", first, user+" rolled back from snapshot 2-"+second[:7])
	if entry := s.awaitEntry(id); entry["by"] != user || entry["provider"] != "platform" || entry["url"] == nil {
		t.Errorf("the entry is %v", entry)
	}
	statuses := s.h.Statuses(user, "back", second)
	if text := statuses[0].Description; statuses[0].State != "success" || text == nil || !strings.Contains(*text, user+" rolled it back to 1-"+first[:7]) {
		t.Errorf("the statuses of the commit that was rolled back are %+v", statuses)
	}
	if d := s.h.Deployments(user, "back", second); len(d) != 1 || d[0].Statuses[len(d[0].Statuses)-1].State != "inactive" {
		t.Errorf("its deployments are %+v", d)
	}
	change := s.outcome(replaced, "ok")
	doc, _ := change["doc"].(map[string]any)
	notes, _ := doc["notes"].([]any)
	said := func(note any) bool {
		text, _ := note.(string)
		return strings.Contains(text, user+" rolled it back to snapshot 1-"+first[:7])
	}
	if !slices.ContainsFunc(notes, said) || !said(change["reason"]) {
		t.Errorf("the replaced entry is %v", change)
	}
	// The commit that was rolled back is deployed again if a person wants it.
	s.outcome(s.send(request{method: "POST", path: strings.TrimPrefix(replaced, "https://hooks.example.com") + "/redeliver"}).change(t, 202, "pending")["id"].(string), "ok")
	answers("back-2", "2,,yes,by-hand", http.StatusOK)
}
