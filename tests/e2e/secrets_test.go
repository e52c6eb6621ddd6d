package e2e

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// marked are secrets, each with a mark that stands nowhere else.
type marked map[string]string

// forms are how a secret may look where it should not be: as it is, in hex and
// in URLs, and within base64, at whichever of the three places in a group.
func (m marked) forms() map[string][]byte {
	all := map[string][]byte{}
	for name, secret := range m {
		all[name] = []byte(secret)
		all[name+" in a URL"] = []byte(url.QueryEscape(secret))
		all[name+" in hex"] = []byte(hex.EncodeToString([]byte(secret)))
		for before := range 3 {
			text := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", before) + secret))
			all[name+" in base64"+strings.Repeat("'", before)] = []byte(text[(before*8+5)/6 : len(text)-2])
		}
	}
	return all
}

// watchProcesses looks at the arguments of all processes until stop, which
// returns what it saw.
func watchProcesses(ctx context.Context) (stop func() []byte) {
	ctx, cancel := context.WithCancel(ctx)
	var seen bytes.Buffer
	known := map[string]bool{}
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, path := range lines {
				if text, err := os.ReadFile(path); err == nil && !known[string(text)] {
					known[string(text)] = true
					seen.Write(text)
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	return func() []byte {
		cancel()
		watching.Wait()
		return seen.Bytes()
	}
}

// No secret that the server is given is seen again: not in its log, its
// answers, its feed, its files or the arguments of a process, nor by an app.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	h := github(t)
	secrets := marked{
		"the password": "canary-password-7f3a", "the wrong password": "canary-wrong-91bc",
		"the GitHub token": "ghp_canary5d21", "the wrong GitHub token": "ghp_canarywrong77",
		"the notify secret": "canary-notify-c0de", "the mail password": "canary-mail-beef",
	}
	folder := t.TempDir() // where the operator keeps secrets
	file := func(name, secret string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	processes := watchProcesses(context.WithoutCancel(t.Context()))
	s := run(t, "serve", 3, h.flags("--wait", "60s", "--retry-delays", "10ms", "--base-url", "https://hooks.example.com",
		"--notify-urls", "http://127.0.0.1:1/", "--notify-secret-file", file("notify", secrets["the notify secret"]),
		"--smtp-addr", "127.0.0.1:1", "--smtp-from", "a@example.com", "--email-errors", "--email-success",
		"--smtp-username", "a", "--smtp-password-file", file("mail", secrets["the mail password"]))...)
	var told bytes.Buffer // all that anybody was told
	add := func(stdin string, args ...string) {
		told.WriteString(s.run(stdin+"\n", append(args, "--data", s.data)...))
	}
	add(secrets["the password"], "users", "add", user, "--email", "dscape@example.org", "--password-stdin")
	token := strings.TrimSpace(s.run("", "tokens", "add", user, "ci", "--data", s.data))
	secrets["the API token"] = token
	secrets["the webhook secret"] = strings.TrimSpace(s.run("", "secrets", "add", user, "first", "--data", s.data))
	key, err := os.ReadFile(filepath.Join(s.data, "platform", "platform.key"))
	if err != nil {
		t.Fatal(err)
	}
	secrets["the platform's key"] = strings.TrimSpace(string(key))

	tell := func(r request) {
		if r.credentials == "" && !r.anonymous {
			r.credentials = user + ":" + secrets["the password"]
		}
		got := s.send(r)
		told.WriteString(got.body)
		for name, values := range got.header {
			told.WriteString(name + strings.Join(values, " "))
		}
	}
	h.AddUser(user, secrets["the GitHub token"], []string{"repo"})
	for _, credentials := range []string{
		user + ":" + secrets["the wrong GitHub token"], secrets["the GitHub token"], user + ":" + secrets["the GitHub token"],
	} {
		tell(request{path: "/1/auth/github", body: text(t, object{"credentials": credentials})})
		tell(request{path: "/1/auth/github", body: `{"credentials":["` + credentials + `"]}`})
		tell(request{path: "/1/auth/github", body: `{"credentials":"` + credentials})
	}
	repo := h.repository("kept")
	delivery := func(name, message string, files map[string]string) request {
		return repo.delivery(t, repo.commit(message, files), name, map[string]string{"X-Hub-Signature-256": "sha256=" + strings.Repeat("0", 64)})
	}
	signed := func(r request) request {
		r.header["X-Hub-Signature-256"] = "sha256=" + hex.EncodeToString(mac(secrets["the webhook secret"], r.body))
		return r
	}
	good := delivery("1", "first", map[string]string{"package.json": packageJSON("kept"), "index.js": `
		require('http').createServer((req, res) => res.end(JSON.stringify(process.env))).listen(process.env.PORT)`})
	tell(good) // a wrong signature
	tell(signed(good))
	environment := s.app("kept.localhost")
	if environment.status != 200 || !strings.Contains(environment.body, `"PORT"`) {
		t.Fatalf("the app answers %d %s", environment.status, environment.body)
	}
	told.WriteString(environment.body)
	bad := signed(delivery("2", "second", map[string]string{"index.js": "console.log(process.env); process.exit(1)"}))
	bad.credentials = user + ":" + token
	tell(bad)
	for _, wrong := range []string{user + ":" + secrets["the wrong password"], secrets["the password"] + ":x", "x:" + token} {
		tell(request{path: "/1/status/dscape/webhooks", credentials: wrong})
		tell(request{path: "/1/deploy", body: bad.body, header: bad.header, credentials: wrong})
	}
	for _, header := range []string{"Bearer " + token, "Basic " + token, "token " + secrets["the GitHub token"], secrets["the password"]} {
		tell(request{path: "/1/status/dscape/changes", anonymous: true, header: map[string]string{"Authorization": header}})
	}
	for _, path := range []string{
		"/1/status/dscape/webhooks", "/1/status/dscape/changes?include_docs=true&since=0&feed=normal",
	} {
		tell(request{path: path})
	}
	add("", "users", "list")
	add("", "tokens", "list", user)
	add("", "secrets", "list", user)
	told.WriteString(s.run("", "config", "--notify-secret-file", filepath.Join(folder, "notify")))
	s.stop()

	places := map[string][]byte{"what was told": told.Bytes(), "the log": []byte(s.stderr()), "the arguments of a process": processes()}
	err = filepath.WalkDir(s.data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.Contains(path, "/cache/") {
			return err
		}
		f, err := os.Open(path) //nolint:gosec // the test's own folder
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // only read
		places[path], err = io.ReadAll(f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(places) < 8 || told.Len() < 5000 {
		t.Fatalf("only %d places and %d bytes were looked at", len(places), told.Len())
	}
	// What is no secret is found: so the places are those.
	for open, place := range map[string]string{"dscape@example.org": filepath.Join(s.data, "platform", "platform.db"), "start_app": "what was told", "deployment failed": "the log"} {
		if !bytes.Contains(places[place], []byte(open)) {
			t.Errorf("%s is not in %s", open, place)
		}
	}
	for what, form := range secrets.forms() {
		for place, content := range places {
			allowed := strings.HasPrefix(what, "the platform's key") && filepath.Base(place) == "platform.key"
			if at := bytes.Index(content, form); at >= 0 && !allowed {
				t.Errorf("%s is in %s: %q", what, place, content[max(at-80, 0):min(at+80, len(content))])
			}
		}
	}
}

func mac(secret, text string) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(text))
	return h.Sum(nil)
}
