package platform_test

import (
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform"
)

// curious is an app that does what a request says: it reads files, or calls a URL
// without credentials, as the service user without its key and with a guessed
// key, or as the user me with a guessed password.
const curious = `
	const http = require('http');
	const fs = require('fs');
	const status = (url, auth) => new Promise((done) => {
		http.get(url, { auth }, (res) => { res.resume(); done(res.statusCode); }).on('error', (e) => done(String(e)));
	});
	http.createServer(async (req, res) => {
		const query = new URL(req.url, 'http://app').searchParams;
		if (query.has('call')) {
			const url = query.get('call');
			return res.end(JSON.stringify([await status(url), await status(url, '_webhooks:'), await status(url, '_webhooks:guessed')]));
		}
		if (query.has('guess')) return res.end(JSON.stringify([await status(query.get('guess'), 'me:guessed')]));
		const read = JSON.parse(query.get('read') || '[]').filter((path) => {
			try { fs.closeSync(fs.openSync(path)); return true; } catch { return false; }
		});
		res.end(JSON.stringify(read));
	}).listen(process.env.PORT);`

// An app can't read files of the platform or of other apps, and its calls of the
// API are refused, so that it can't throttle others with wrong passwords.
func TestAppsCannotAdminister(t *testing.T) {
	t.Parallel()
	b := setup(t, platform.Options{})
	me, you := b.user("me"), b.user("you")
	b.app(me, "me", "app", map[string]any{"name": "app", "subdomain": "sub"})
	b.upload(me, "me", "app", "v1", pack(t, map[string]string{
		"package.json": `{"name":"app","version":"1.0.0","scripts":{"start":"node server.js"}}`, "server.js": curious,
	}))
	b.run(me, "me", "app", "v1")
	b.app(you, "you", "other", map[string]any{"name": "other", "subdomain": "other", "env": map[string]string{"GREETING": "!"}})
	b.upload(you, "you", "other", "v1", hello(t, "mine"))
	b.run(you, "you", "other", "v1")
	b.answers("other", "mine!")

	want := float64(http.StatusForbidden)
	if os.Getuid() != 0 {
		want = http.StatusUnauthorized // the app is not recognized; the README says so
	}
	for _, path := range []string{"/users/me", "/users", "/apps/me", "/apps/you/other", "/logs/you/other", "/users/me/tokens"} {
		var statuses []any
		b.asked("sub", "call", b.URL()+path, &statuses)
		for _, status := range statuses {
			if status != want {
				t.Errorf("an app that calls %s gets %v", path, statuses)
				break
			}
		}
	}

	if os.Getuid() == 0 {
		for range 12 { // more than the failures that are allowed
			var statuses []any
			b.asked("sub", "guess", b.URL()+"/auth", &statuses)
		}
		if _, err := me.Endpoints(t.Context()); err != nil {
			t.Errorf("after an app has guessed the password of me: %v", err)
		}
	}

	secret, own := b.files("app")
	if len(secret) < 8 || len(own) == 0 {
		t.Fatalf("files of the platform: %q, of the app: %q", secret, own)
	}
	read := b.reads("sub", own)
	if len(read) != len(own) {
		t.Errorf("the app reads %[2]q of its own files %[1]q", own, read)
	}
	read = b.reads("sub", secret)
	switch {
	case os.Getuid() == 0 && len(read) > 0:
		t.Errorf("the app reads %q", read)
	case os.Getuid() != 0 && len(read) != len(secret):
		// All apps have one user, as the README says; it is wrong if this fails.
		t.Errorf("the app of the server's user reads only %q of %q", read, secret)
	}
}

// files returns the files in the platform's folder; own are those of the app
// me/NAME.
func (b *fixture) files(name string) (others, own []string) {
	b.t.Helper()
	err := filepath.WalkDir(b.o.Dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
		case strings.HasPrefix(path, filepath.Join(b.o.Dir, "builds", "me", name)+"/"):
			own = append(own, path)
		default:
			others = append(others, path)
		}
		return nil
	})
	b.ok(err)
	return others, own
}

// reads returns the files that the app can open.
func (b *fixture) reads(host string, files []string) []string {
	b.t.Helper()
	text, err := json.Marshal(files)
	b.ok(err)
	var read []string
	b.asked(host, "read", string(text), &read)
	return read
}

// asked sends a request to the app of host and decodes the response.
func (b *fixture) asked(host, name, value string, answer any) {
	b.t.Helper()
	resp := b.open(host, "/?"+url.Values{name: {value}}.Encode())
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(resp.Body)
	b.ok(err)
	if err := json.Unmarshal(text, answer); err != nil {
		b.t.Fatalf("the app answers %q: %v", text, err)
	}
}
