package e2e

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/nodejitsu/webhooks/adapters/bolt"
)

// letters is a mailbox for all addresses.
type letters chan string

func (l letters) NewSession(*smtp.Conn) (smtp.Session, error) { return &letter{box: l}, nil }

// letter is a letter that is being received.
type letter struct {
	box letters
	to  string
}

func (l *letter) Mail(string, *smtp.MailOptions) error { return nil }

func (l *letter) Rcpt(to string, _ *smtp.RcptOptions) error {
	l.to = to
	return nil
}

func (l *letter) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	l.box <- l.to + "\n" + string(text)
	return err
}

// AuthMechanisms names the one that does not send the password, as there is no TLS.
func (l *letter) AuthMechanisms() []string { return []string{"CRAM-MD5"} }

// Auth accepts all credentials.
func (l *letter) Auth(string) (sasl.Server, error) { return new(acceptAll), nil }

// acceptAll accepts any answer to its challenge.
type acceptAll struct{ asked bool }

func (c *acceptAll) Next([]byte) (challenge []byte, done bool, err error) {
	if c.asked {
		return nil, true, nil
	}
	c.asked = true
	return []byte("<1@example.com>"), false, nil
}

func (l *letter) Reset()        {}
func (l *letter) Logout() error { return nil }

// mailbox returns the address of a mail server and the letters to it.
func mailbox(t *testing.T) (addr string, box letters) {
	t.Helper()
	box = make(letters, 10)
	server := smtp.NewServer(box)
	server.AllowInsecureAuth = true
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		_ = l.Close() // it may not have begun to serve
		<-ended
	})
	return l.Addr().String(), box
}

// next waits for the next value of a channel.
func next[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(patience):
		t.Fatalf("%s did not come within %s", what, patience)
		panic("unreached")
	}
}

// The outcome of a deployment is sent by mail, if the form of GitHub's former
// service hook asks for it, and posted to a webhook, with retries.
func TestNotifications(t *testing.T) {
	t.Parallel()
	h := github(t)
	addr, box := mailbox(t)
	const secret = "whsec_Y2FuYXJ5LW5vdGlmeS1zZWNyZXQ="
	standard, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	type post struct {
		id, signature string
		body          []byte
	}
	posts, tries := make(chan post, 10), make(chan struct{}, 1)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if err := standard.Verify(body, r.Header); err != nil {
			t.Errorf("Standard Webhooks' own library says %v", err)
		}
		posts <- post{r.Header.Get("webhook-id"), r.Header.Get("X-Hub-Signature-256"), body}
		select {
		case tries <- struct{}{}:
			w.WriteHeader(http.StatusBadGateway)
		default:
		}
	}))
	t.Cleanup(hook.Close)
	s := run(t, "serve", 3, h.flags("--retry-delays", "100ms,100ms", "--smtp-addr", addr, "--smtp-tls", "none",
		"--smtp-from", "hooks@example.com", "--notify-urls", hook.URL, "--notify-secret-file", file)...)
	s.run(password+"\n", "users", "add", user, "--email", "dscape@example.org", "--new-password-file", "-", "--data", s.data)

	repo := h.repository("notified")
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("notified"), "index.js": node("notified")})
	pushed := repo.delivery(t, commit, "1", nil)
	form := url.Values{"payload": {pushed.body}, "email_success": {"1"}, "email_errors": {"1"}}.Encode()
	s.send(request{path: "/1/deploy", body: form}).change(t, 200, "ok")
	if text := next(t, "the letter", box); !strings.HasPrefix(text, "dscape@example.org\n") || !strings.Contains(text, "Subject: Deployed notified\r\n") {
		t.Errorf("got letter %s", text)
	}
	first, second := next(t, "the post", posts), next(t, "its second try", posts)
	if first.id == "" || first.id != second.id || string(first.body) != string(second.body) {
		t.Errorf("got %s and then %s", first.id, second.id)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(first.body)
	if first.signature != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
		t.Errorf("signed %s", first.signature)
	}
	var event struct {
		Type string         `json:"type"`
		Data map[string]any `json:"data"`
	}
	if err := json.Unmarshal(first.body, &event); err != nil || event.Type != "deployment.ok" || event.Data["app_name"] != "notified" {
		t.Errorf("got %s %v", first.body, err)
	}

	commit = repo.commit("second", map[string]string{"index.js": "process.exit(1)"})
	pushed = repo.delivery(t, commit, "2", nil)
	form = url.Values{"payload": {pushed.body}, "email_success": {"1"}}.Encode() // no mail about errors
	s.send(request{path: "/1/deploy", body: form}).failure(t, 500, "deploy:nodejitsu:start_app")
	if err := json.Unmarshal(next(t, "the post", posts).body, &event); err != nil || event.Type != "deployment.error" {
		t.Errorf("got %s %v", event.Type, err)
	}
	if len(box) != 0 {
		t.Errorf("got a letter that was not requested: %s", <-box)
	}
	if strings.Contains(s.stderr(), secret) {
		t.Error("the log has the secret")
	}
}

// unavailable is a receiver of notifications that fails until back is set.
type unavailable struct {
	url   string
	back  atomic.Bool
	posts chan string // the id of each post that came
}

func newUnavailable(t *testing.T) *unavailable {
	t.Helper()
	a := &unavailable{posts: make(chan string, 10)}
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.back.Load() {
			w.WriteHeader(http.StatusBadGateway)
		}
		a.posts <- r.Header.Get("webhook-id")
	}))
	t.Cleanup(hook.Close)
	a.url = hook.URL
	return a
}

// A notification that failed before the server was killed is sent after the restart,
// once, and the feed has the outcome once.
func TestNotificationAfterAKill(t *testing.T) {
	t.Parallel()
	h, hook := github(t), newUnavailable(t)
	s := serve(t, h.flags("--retry-delays", "1h", "--notify-urls", hook.url)...)
	repo := h.repository("killed")
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("killed"), "index.js": node("killed")})
	s.send(repo.delivery(t, commit, "1", nil)).change(t, 200, "ok")
	first := next(t, "the post", hook.posts)
	s.kill()
	hook.back.Store(true)
	s.start()
	if again := next(t, "the post after the restart", hook.posts); again != first {
		t.Errorf("got %s and then %s", first, again)
	}
	outcomes := 0
	for _, change := range lines(t, s.open(t.Context(), request{path: "/1/status/dscape/changes?feed=normal&since=0"}), -1) {
		if change["status"] == "ok" {
			outcomes++
		}
	}
	if outcomes != 1 {
		t.Errorf("the feed tells %d outcomes", outcomes)
	}
	s.stop()
	store := bolt.New(bolt.Options{Path: s.path()})
	if err := store.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	owed, err := store.Outbox().Claim(t.Context(), nil, time.Minute)
	if err := errors.Join(err, store.Stop(context.WithoutCancel(t.Context()))); err != nil || len(owed) != 0 {
		t.Errorf("still owed is %v, %v", owed, err)
	}
}

// If several servers share a Redis, another one sends the notifications of a server
// that was killed.
func TestNotificationByAnotherServer(t *testing.T) {
	t.Parallel()
	h, hook := github(t), newUnavailable(t)
	c := newCluster(t, h, 2, "--retry-delays", "1h", "--notify-urls", hook.url)
	c.kill(1) // so that the first one deploys
	repo := h.repository("killed")
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("killed"), "index.js": node("killed")})
	c.servers[0].send(repo.delivery(t, commit, "1", nil)).change(t, 200, "ok")
	first := next(t, "the post", hook.posts)
	c.restart(1)
	hook.back.Store(true)
	c.kill(0)
	if again := next(t, "the post of the other one", hook.posts); again != first {
		t.Errorf("got %s and then %s", first, again)
	}
	c.servers[1].stop()
	if owed := c.store.Do("EXISTS", "{webhooks}:outbox"); owed != "0" || len(hook.posts) != 0 {
		t.Errorf("owed is %s, and %d more posts came", owed, len(hook.posts))
	}
}

// A user's chat service is notified of outcomes, and its address is never shown.
func TestChat(t *testing.T) {
	t.Parallel()
	h := github(t)
	messages := make(chan string, 10)
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		messages <- r.URL.Path + " " + string(body)
	}))
	t.Cleanup(service.Close)
	s := serve(t, h.flags("--private-hosts", "127.0.0.1")...)
	address := "ntfy+" + service.URL + "/canary-topic"
	s.run(address, "notify", "add", user, "team", "--address-file", "-", "--data", s.data)
	s.run("", "notify", "test", user, "team", "--data", s.data, "--private-hosts", "127.0.0.1")
	if got := next(t, "the test message", messages); !strings.HasPrefix(got, "/canary-topic A test message") {
		t.Errorf("got %q", got)
	}
	list := s.run("", "notify", "list", user, "--data", s.data)
	if !strings.Contains(list, "team") || strings.Contains(list, "canary") {
		t.Errorf("got %s", list)
	}
	repo := h.repository("chatty")
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("chatty"), "index.js": node("chatty")})
	s.send(repo.delivery(t, commit, "1", nil)).change(t, 200, "ok")
	if got := next(t, "the message", messages); !strings.Contains(got, "Deployed chatty") || !strings.Contains(got, "http://chatty.localhost:") {
		t.Errorf("got %q", got)
	}
	s.run("", "notify", "remove", user, "team", "--data", s.data)
	if strings.Contains(s.stderr(), "canary") {
		t.Error("the log has the address")
	}
}
