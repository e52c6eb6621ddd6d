package sim_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

// push is what a test reads of a push.
type push struct {
	Ref, Before, After, Compare string
	Created, Deleted, Forced    bool
	BaseRef                     *string `json:"base_ref"`
	Commits                     []commit
	HeadCommit                  *commit `json:"head_commit"`
	Repository                  map[string]any
	Pusher                      map[string]any
	Sender                      map[string]any
}

type commit struct {
	ID, Message, Timestamp   string
	Distinct                 bool
	Author, Committer        map[string]string
	Added, Removed, Modified []string
}

// pushed delivers what was pushed and returns the events of the webhook.
func (b *bench) pushed() []sim.Delivery {
	b.t.Helper()
	got, err := b.Pushed(b.t.Context(), "octo", "hello")
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}

// pushedOne delivers the one push there must be, and reads it.
func (b *bench) pushedOne() push {
	b.t.Helper()
	got := b.pushed()
	if len(got) != 1 || got[0].Event != "push" || got[0].Status != 200 {
		b.t.Fatalf("deliveries: %+v", got)
	}
	return readPush(b.t, got[0].Payload)
}

func readPush(t *testing.T, payload []byte) push {
	t.Helper()
	var p push
	if err := json.Unmarshal(payload, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func ids(commits []commit) string {
	var all []string
	for _, c := range commits {
		all = append(all, c.ID)
	}
	return strings.Join(all, " ")
}

const zero = "0000000000000000000000000000000000000000"

func TestPushes(t *testing.T) {
	t.Parallel()
	b := newBench(t, sim.Options{}, false)
	to := newReceiver(t, nil)
	if _, err := b.Hook(t.Context(), "octo", "hello", to.URL, sim.HookOptions{ContentType: "json"}); err != nil {
		t.Fatal(err)
	}

	first := b.commit("first", map[string]string{"a": "1", "b": "1"})
	b.push("main")
	p := b.pushedOne()
	if p.Ref != "refs/heads/main" || p.Before != zero || p.After != first || !p.Created || p.Deleted || p.Forced ||
		p.BaseRef != nil || ids(p.Commits) != first || p.HeadCommit.ID != first || !p.Commits[0].Distinct {
		t.Errorf("new branch: %+v", p)
	}
	if c := p.Commits[0]; !slices.Equal(c.Added, []string{"a", "b"}) || len(c.Modified)+len(c.Removed) != 0 || c.Message != "first" ||
		c.Author["name"] != "Ada" || c.Author["email"] != "ada@example.com" || c.Committer["name"] != "Bob" || c.Timestamp == "" {
		t.Errorf("first commit: %+v", c)
	}
	owner, _ := p.Repository["owner"].(map[string]any)
	created, isNumber := p.Repository["created_at"].(float64)
	if owner["login"] != "octo" || owner["name"] != "octo" || p.Repository["full_name"] != "octo/hello" || !isNumber || created < 1e9 ||
		p.Repository["default_branch"] != "main" || p.Repository["master_branch"] != "main" ||
		p.Repository["url"] != "https://github.com/octo/hello" || p.Repository["html_url"] != "https://github.com/octo/hello" ||
		p.Repository["private"] != false || p.Pusher["name"] != "octo" || p.Sender["login"] != "octo" {
		t.Errorf("repository %v, pusher %v, sender %v", p.Repository, p.Pusher, p.Sender)
	}

	second := b.commit("second\n\nlong", map[string]string{"a": "2", "ü\tn": "x"})
	b.git("rm", "--quiet", "b")
	third := b.commit("third", nil)
	b.push("main")
	p = b.pushedOne()
	if p.Before != first || p.After != third || p.Created || p.Forced || ids(p.Commits) != second+" "+third || p.HeadCommit.ID != third ||
		p.Compare != "https://github.com/octo/hello/compare/"+first[:12]+"..."+third[:12] {
		t.Errorf("two commits: %+v", p)
	}
	if c := p.Commits[0]; !slices.Equal(c.Modified, []string{"a"}) || !slices.Equal(c.Added, []string{"ü\tn"}) || c.Message != "second\n\nlong" {
		t.Errorf("second commit: %+v", c)
	}
	if c := p.Commits[1]; !slices.Equal(c.Removed, []string{"b"}) {
		t.Errorf("third commit: %+v", c)
	}

	b.push("main:feat/x#1")
	p = b.pushedOne()
	if p.Ref != "refs/heads/feat/x#1" || !p.Created || len(p.Commits) != 0 || p.HeadCommit.ID != third || p.BaseRef == nil || *p.BaseRef != "refs/heads/main" {
		t.Errorf("branch at an old commit: %+v", p)
	}

	b.push(first + ":refs/heads/main")
	p = b.pushedOne()
	if !p.Forced || p.Before != third || p.After != first || len(p.Commits) != 0 || p.HeadCommit.ID != first {
		t.Errorf("forced back: %+v", p)
	}

	b.git("tag", "-a", "-m", "one", "v1", third)
	b.push("v1")
	p = b.pushedOne()
	if p.Ref != "refs/tags/v1" || p.After == third || p.After != b.git("rev-parse", "v1") || p.HeadCommit.ID != third || len(p.Commits) != 0 {
		t.Errorf("annotated tag: %+v", p)
	}

	b.push(":feat/x#1")
	p = b.pushedOne()
	if !p.Deleted || p.After != zero || p.Before != third || p.HeadCommit != nil || p.Commits == nil || len(p.Commits) != 0 {
		t.Errorf("deleted: %+v", p)
	}

	if got := b.pushed(); len(got) != 0 {
		t.Errorf("nothing pushed: %+v", got)
	}
	b.push("main:refs/tags/t1", "main:refs/tags/t2", "main:refs/tags/t3", "main:refs/tags/t4")
	if got := b.pushed(); len(got) != 0 {
		t.Errorf("four tags at once: %+v", got)
	}
}

func TestDelivery(t *testing.T) {
	t.Parallel()
	b := newBench(t, sim.Options{}, false)
	to := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte("held"))
	})
	plain, form := newReceiver(t, nil), newReceiver(t, nil)
	secret := core.NewSecret("It's a Secret to Everybody")
	ping, err := b.Hook(t.Context(), "octo", "hello", strings.Replace(to.URL, "://", "://user:p%40ss@", 1)+"/1/deploy?branch=main",
		sim.HookOptions{Secret: secret, ContentType: "json"})
	if err != nil || ping.Event != "ping" || ping.Status != 202 {
		t.Fatalf("ping: %+v, %v", ping, err)
	}
	if strings.Contains(string(ping.Payload), "p%40ss") || strings.Contains(string(ping.Payload), secret.Reveal()) {
		t.Errorf("the ping tells a credential: %s", ping.Payload)
	}
	if _, err := b.Hook(t.Context(), "octo", "hello", plain.URL, sim.HookOptions{ContentType: "json", Events: []string{"create"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Hook(t.Context(), "octo", "hello", form.URL, sim.HookOptions{Secret: secret, Events: []string{"*"}}); err != nil {
		t.Fatal(err)
	}
	b.commit("first", map[string]string{"a": "1"})
	b.push("main")
	b.pushed()

	events := func(r *receiver) string {
		var all []string
		for _, one := range r.all() {
			all = append(all, one.header.Get("X-Github-Event"))
		}
		return strings.Join(all, " ")
	}
	if got := events(to) + "|" + events(plain) + "|" + events(form); got != "ping push|ping create|ping create push" {
		t.Fatalf("events: %s", got)
	}
	got := to.all()[1]
	if got.user != "user" || got.pass != "p@ss" {
		t.Errorf("Basic authentication: %q, %q", got.user, got.pass)
	}
	for header, form := range map[string]string{
		"Accept": `^\*/\*$`, "Content-Type": `^application/json$`, "User-Agent": `^GitHub-Hookshot/[0-9a-f]+$`,
		"X-Github-Delivery": `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
		"X-Github-Hook-Id":  `^\d+$`, "X-Github-Hook-Installation-Target-Type": `^repository$`,
		"X-Hub-Signature": `^sha1=[0-9a-f]{40}$`, "X-Hub-Signature-256": `^sha256=[0-9a-f]{64}$`,
	} {
		if value := got.header.Get(header); !regexp.MustCompile(form).MatchString(value) {
			t.Errorf("%s: %q", header, value)
		}
	}
	if plain := plain.all()[1].header; plain.Get("X-Hub-Signature") != "" || plain.Get("X-Hub-Signature-256") != "" {
		t.Error("signed without a secret")
	}
	last := form.all()[2]
	values, err := url.ParseQuery(last.body)
	if err != nil || values.Get("payload") != got.body || last.header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		t.Errorf("form: %.60q, %v", last.body, err)
	}
	if last.header.Get("X-Hub-Signature-256") == got.header.Get("X-Hub-Signature-256") {
		t.Error("the form's signature is of the JSON and not of the body")
	}

	guid := got.header.Get("X-Github-Delivery")
	again, err := b.Redeliver(t.Context(), guid)
	if err != nil || again.GUID != guid || !again.Redelivery || again.Status != 202 || string(again.Body) != "held" {
		t.Errorf("redelivery: %+v, %v", again, err)
	}
	if second := to.all()[2]; second.body != got.body || second.header.Get("X-Github-Delivery") != guid || second.user != "user" {
		t.Errorf("redelivered as %+v", second)
	}
	if _, err := b.Redeliver(t.Context(), "nope"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("got %v, want %v", err, core.ErrNotFound)
	}
	sent, err := b.Send(t.Context(), "octo", "hello", "workflow_run", []byte(`{"action":"completed"}`))
	if err != nil || len(sent) != 1 || sent[0].URL != form.URL {
		t.Errorf("another event: %+v, %v", sent, err)
	}
	if got := len(b.Deliveries()); got != 9 {
		t.Errorf("%d deliveries, want 9", got)
	}
}

// The signature is the one of GitHub's documentation ("Validating webhook
// deliveries").
func TestSignature(t *testing.T) {
	t.Parallel()
	b := newBench(t, sim.Options{}, false)
	to := newReceiver(t, nil)
	options := sim.HookOptions{Secret: core.NewSecret("It's a Secret to Everybody"), ContentType: "json", Events: []string{"test"}}
	if _, err := b.Hook(t.Context(), "octo", "hello", to.URL, options); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Send(t.Context(), "octo", "hello", "test", []byte("Hello, World!")); err != nil {
		t.Fatal(err)
	}
	const want = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	if got := to.all()[1].header.Get("X-Hub-Signature-256"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDeliveryFails(t *testing.T) {
	t.Parallel()
	b := newBench(t, sim.Options{}, false)
	elsewhere := newReceiver(t, nil)
	moved := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusMovedPermanently)
	})
	d, err := b.Hook(t.Context(), "octo", "hello", moved.URL, sim.HookOptions{})
	if err != nil || d.Status != http.StatusMovedPermanently || len(elsewhere.all()) != 0 {
		t.Errorf("redirected: %+v, %v", d, err)
	}
	gone := newReceiver(t, nil)
	gone.Close()
	d, err = b.Hook(t.Context(), "octo", "hello", strings.Replace(gone.URL, "://", "://user:hunter2@", 1), sim.HookOptions{})
	if err != nil || d.Err == nil || d.Status != 0 || strings.Contains(d.Err.Error(), "hunter2") {
		t.Errorf("no server: %+v, %v", d, err)
	}
	for _, bad := range []func() error{
		func() error { _, err := b.Hook(t.Context(), "octo", "nope", gone.URL, sim.HookOptions{}); return err },
		func() error { _, err := b.Hook(t.Context(), "octo", "hello", "nowhere", sim.HookOptions{}); return err },
		func() error {
			_, err := b.Hook(t.Context(), "octo", "hello", gone.URL, sim.HookOptions{ContentType: "xml"})
			return err
		},
		func() error { _, err := b.Pushed(t.Context(), "octo", "nope"); return err },
	} {
		if bad() == nil {
			t.Error("no error")
		}
	}
}

func TestTravis(t *testing.T) {
	t.Parallel()
	server := start(t, sim.Options{})
	to := newReceiver(t, nil)
	key, text, err := sim.NewTravisKey()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(text))
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	public, _ := parsed.(*rsa.PublicKey)
	commit := strings.Repeat("ab", 20)
	for name, test := range map[string]struct {
		build sim.TravisBuild
		want  map[string]any
	}{
		"passed":   {sim.TravisBuild{}, map[string]any{"state": "passed", "status": 0.0, "status_message": "Passed", "type": "push", "branch": "main", "pull_request": false, "tag": nil}},
		"fixed":    {sim.TravisBuild{Result: "Fixed", Number: "12", BuildID: 7}, map[string]any{"result_message": "Fixed", "result": 0.0, "number": "12", "id": 7.0}},
		"failed":   {sim.TravisBuild{State: "failed"}, map[string]any{"state": "failed", "status": 1.0, "status_message": "Broken"}},
		"started":  {sim.TravisBuild{State: "started"}, map[string]any{"status": nil, "status_message": "Pending", "finished_at": nil}},
		"canceled": {sim.TravisBuild{State: "canceled"}, map[string]any{"status": nil, "status_message": "Canceled"}},
		"tag":      {sim.TravisBuild{Tag: "v1"}, map[string]any{"tag": "v1", "branch": "v1"}},
		"pull":     {sim.TravisBuild{PullRequest: 3}, map[string]any{"type": "pull_request", "pull_request": true, "pull_request_number": 3.0}},
	} {
		build := test.build
		build.Owner, build.Repo, build.Commit, build.PrivateKey = "octo", "hello", commit, key
		d, err := server.NotifyTravis(t.Context(), strings.Replace(to.URL, "://", "://user:pass@", 1), build)
		if err != nil || d.Status != 200 {
			t.Fatalf("%s: %+v, %v", name, d, err)
		}
		all := to.all()
		got := all[len(all)-1]
		if got.user != "user" || got.header.Get("Travis-Repo-Slug") != "octo/hello" || got.header.Get("User-Agent") != "Travis CI Notifications" ||
			got.header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			t.Errorf("%s: headers %v", name, got.header)
		}
		values, err := url.ParseQuery(got.body)
		if err != nil {
			t.Fatal(err)
		}
		digest := sha1.Sum([]byte(values.Get("payload")))
		signature, err := base64.StdEncoding.DecodeString(got.header.Get("Signature"))
		if err != nil || rsa.VerifyPKCS1v15(public, crypto.SHA1, digest[:], signature) != nil {
			t.Errorf("%s: the signature does not match: %v", name, err)
		}
		var payload map[string]any
		if err := json.Unmarshal([]byte(values.Get("payload")), &payload); err != nil {
			t.Fatal(err)
		}
		repo, _ := payload["repository"].(map[string]any)
		if payload["commit"] != commit || repo["owner_name"] != "octo" || repo["name"] != "hello" {
			t.Errorf("%s: %v", name, payload)
		}
		for key, want := range test.want {
			if got, there := payload[key]; got != want || !there {
				t.Errorf("%s: %s is %v, want %v", name, key, got, want)
			}
		}
	}
	header, _, err := sim.TravisNotification(sim.TravisBuild{Owner: "o", Repo: "r", Commit: commit})
	if err != nil || header.Get("Signature") != "" {
		t.Errorf("without a key: %v, %v", header, err)
	}
}
