package e2e

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/redis/redistest"
)

// marked are secrets by name, each with a text that occurs nowhere else.
type marked map[string]string

// forms returns the forms that a secret may have: unchanged, in hex, in a URL, and
// within Base64, at each of the three positions in a group.
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

// key returns a new key for encryption in Base64, and its bytes.
func key() (text, raw string) {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails
	return base64.StdEncoding.EncodeToString(random), string(random)
}

// No secret that the server is given appears in its log, its answers, its feed, its
// files, its Redis, or the arguments or environment of a process; no app and no
// other server gets one that is not meant for it.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	for _, store := range []string{"embedded", "redis"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			secretsStaySecret(t, store == "redis")
		})
	}
}

func secretsStaySecret(t *testing.T, onRedis bool) {
	t.Helper()
	h := github(t)
	secrets := marked{
		"the password": "canary-password-7f3a", "the wrong password": "canary-wrong-91bc",
		"the GitHub token": "ghp_canary5d21", "the wrong GitHub token": "ghp_canarywrong77",
		"the notify secret": "canary-notify-c0de", "the mail password": "canary-mail-beef", "the Redis password": "canary-redis-0a11",
	}
	secrets["the seal key"], secrets["the seal key's bytes"] = key()
	folder := t.TempDir() // where the operator keeps secrets
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, keyFile, roots := authority(t)
	private, err := os.ReadFile(keyFile) //nolint:gosec // the test's own
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(private)
	secrets["the TLS key"] = strings.Split(string(private), "\n")[1]
	secrets["the TLS key's bytes"] = string(block.Bytes[36:68]) // the number itself, within PKCS #8
	hub := listening(t, forwarded(t, h.URL()))
	hook := listening(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	mail, box := mailbox(t)
	watched := watchProcesses(context.WithoutCancel(t.Context()))
	flags := []string{
		"--github-url", hub.URL, "--github-archive-hosts", h.ArchiveHost(),
		"--retry-delays", "10ms", "--base-url", "https://hooks.example.com",
		"--tls-cert", cert, "--tls-key", keyFile, "--seal-keys-file", file("seal", secrets["the seal key"]),
		"--notify-urls", hook.URL, "--notify-secret-file", file("notify", secrets["the notify secret"]),
		"--smtp-addr", mail, "--smtp-tls", "none", "--smtp-from", "a@example.com", "--email-errors", "--email-success",
		"--smtp-username", "a", "--smtp-password-file", file("mail", secrets["the mail password"]),
	}
	var store *redistest.Server
	if onRedis {
		store = redistest.Start(t, "--include", file("redis.conf", "requirepass "+secrets["the Redis password"]))
		flags = append(flags, "--redis", store.Addr, "--redis-password-file", file("redis", secrets["the Redis password"]))
	}
	s := run(t, "serve", 3, flags...)
	s.trust = roots
	var said bytes.Buffer // all answers and output
	add := func(stdin string, args ...string) {
		said.WriteString(s.run(stdin+"\n", append(args, "--data", s.data)...))
	}
	add(secrets["the password"], "users", "add", user, "--email", "dscape@example.org", "--new-password-file", "-")
	token := strings.TrimSpace(s.run("", "tokens", "add", user, "ci", "--data", s.data))
	secrets["the API token"] = token
	secrets["the webhook secret"] = strings.TrimSpace(s.run("", "secrets", "add", user, "first", "--data", s.data))
	shared, err := os.ReadFile(filepath.Join(s.data, "platform", "platform.key"))
	if err != nil {
		t.Fatal(err)
	}
	secrets["the platform's key"] = strings.TrimSpace(string(shared))

	tell := func(r request) {
		if r.credentials == "" && !r.anonymous {
			r.credentials = user + ":" + secrets["the password"]
		}
		got := s.send(r)
		said.WriteString(got.body)
		for name, values := range got.header {
			said.WriteString(name + strings.Join(values, " "))
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
	// The children of npm, the app, and an app that fails all print their
	// environment.
	good := delivery("1", "first", map[string]string{
		"package.json": `{"name":"kept","version":"1.0.0","scripts":{"start":"node index.js","postinstall":"node -p 'JSON.stringify(process.env)'"}}`,
		"index.js": `console.log(process.env)
		require('http').createServer((req, res) => res.end(JSON.stringify(process.env))).listen(process.env.PORT)`,
	})
	tell(good) // a wrong signature
	tell(signed(good))
	environment := s.app("kept.localhost")
	if environment.status != 200 || !strings.Contains(environment.body, `"PORT"`) {
		t.Fatalf("the app answers %d %s", environment.status, environment.body)
	}
	said.WriteString(environment.body)
	said.WriteString(next(t, "the letter", box))
	hook.until(t, "deployment.ok")
	hub.until(t, `"success"`)
	bad := signed(delivery("2", "second", map[string]string{"index.js": "console.log(process.env); process.exit(1)"}))
	bad.credentials = user + ":" + token
	tell(bad)
	said.WriteString(next(t, "the letter", box))
	hook.until(t, "deployment.error")
	hub.until(t, `"failure"`)
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
	add("", "keys", "list", "--seal-keys-file", filepath.Join(folder, "seal"))
	logs := s.run("", "logs", "kept", "--user", user, "--password-file", file("password", secrets["the password"]), "--to", s.platform)
	said.WriteString(s.run("", "config", "show", "--notify-secret-file", filepath.Join(folder, "notify")))
	s.stop()

	seen := watched()
	places := map[string][]byte{
		"the answers and output": said.Bytes(), "the app's log": []byte(logs), "the log": []byte(s.stderr()),
		"the arguments of a process": seen.arguments.Bytes(), "the environment of a process": seen.environments.Bytes(),
		"what GitHub hears": []byte(hub.all.String()), "what GitHub is shown": []byte(hub.authorization.String()),
		"what the hook hears": []byte(hook.all.String() + hook.authorization.String()),
	}
	open := map[string]string{ // these are not secrets; they show that the places are right
		filepath.Join(s.data, "platform", "platform.db"): "dscape@example.org",
		"the answers and output":                         "start_app", "the app's log": "PORT", "the log": "deployment failed",
		"the arguments of a process": "--seal-keys-file", "the environment of a process": "PORT=",
		"what GitHub hears": "webhooks/deploy", "what GitHub is shown": "Bearer ghp_", "what the hook hears": "start_app",
	}
	if onRedis {
		places["Redis"] = kept(t, store.Addr, secrets["the Redis password"])
		open["Redis"] = "start_app"
	}
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
	if said.Len() < 5000 {
		t.Fatalf("only %d bytes of answers and output", said.Len())
	}
	for place, text := range open {
		if !bytes.Contains(places[place], []byte(text)) {
			t.Errorf("%s is not in %s", text, place)
		}
	}
	mayBe := func(what, place string) bool {
		switch place {
		case filepath.Join(s.data, "platform", "platform.key"):
			return strings.HasPrefix(what, "the platform's key")
		case "what GitHub is shown":
			return strings.HasPrefix(what, "the GitHub token") || strings.HasPrefix(what, "the wrong GitHub token")
		}
		return false
	}
	for what, form := range secrets.forms() {
		for place, content := range places {
			if at := bytes.Index(content, form); at >= 0 && !mayBe(what, place) {
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
