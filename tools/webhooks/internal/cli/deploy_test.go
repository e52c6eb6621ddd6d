//go:build linux

// The embedded platform, which these tests call, needs Linux.

package cli_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

func TestDeployFolder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	files := hello("one")
	files["package.json"] = `{"name":"hello","version":"1.0.0","subdomain":"hi","scripts":{"start":"node server.js","install":"echo built by npm"}}`
	files["node_modules/dep/index.js"], files[".npmrc"] = "", "registry=http://127.0.0.1:1/\n//127.0.0.1:1/:_authToken=canary\n"
	dir := folder(t, files)
	stdout, stderr := b.must("deploy", dir)
	if !regexp.MustCompile(`^http://hi\.localhost:\d+\n$`).MatchString(stdout) {
		t.Errorf("got %q, want the URL alone", stdout)
	}
	for _, want := range []string{"Packing 3 files", "Left out of .npmrc: its credentials", "Creating the app hello\n", "Uploading ", "Uploaded ", "built by npm\n", "Starting 1.0.0-", "Deployed hello as 1.0.0-"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in %q", want, stderr)
		}
	}
	if got := b.get("hi", "/"); got != "one" {
		t.Errorf("the app answers %q", got)
	}

	// Once more, as another version in its place.
	fill(t, dir, map[string]string{"server.js": hello("two")["server.js"]})
	stdout, stderr = b.must("deploy", dir, "--output", "json")
	if strings.Contains(stderr, "Creating") {
		t.Errorf("it is created again: %q", stderr)
	}
	var printed struct {
		App, Snapshot, URL string
		Seconds            float64
	}
	if err := json.Unmarshal([]byte(stdout), &printed); err != nil || printed.App != "hello" || !strings.HasPrefix(printed.URL, "http://hi.localhost:") ||
		!strings.HasPrefix(printed.Snapshot, "1.0.0-") || printed.Seconds <= 0 {
		t.Errorf("got %q, %v", stdout, err)
	}
	app, err := b.client.App(t.Context(), "dscape", "hello")
	if err != nil || len(app.Snapshots) != 2 || app.Running == nil || app.Running.ID != app.Snapshots[1].ID || b.get("hi", "/") != "two" {
		t.Errorf("got %+v, %v", app, err)
	}

	// As another app, by a token.
	token, err := b.client.CreateToken(t.Context(), "dscape", "ci")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token.Reveal()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fill(t, dir, map[string]string{"package.json": `{"name":"Not A Name","version":"1.0.0"}`})
	stdout, stderr = b.must("deploy", dir, "--app", "other", "--password-file", file)
	if !strings.HasPrefix(stdout, "http://other.localhost:") || b.get("other", "/") != "two" {
		t.Errorf("got %q and %q", stdout, stderr)
	}
	if code, _, stderr := b.call("", "deploy", dir); code != 1 || !strings.Contains(stderr, `invalid app name "Not A Name": want lower-case letters, digits, '.', '_' and '-', at most 64, starting with a letter or digit; deploy with another name, as in --app`) {
		t.Errorf("got code %d and %q", code, stderr)
	}
}

// repository makes a git repository of files, and returns its URL and commit.
func repository(t *testing.T, files map[string]string, tag string) (url, commit string) {
	t.Helper()
	dir := folder(t, files)
	git(t, dir, "init", "-q", "-b", "main")
	return "file://" + dir, again(t, dir, tag)
}

// again commits what a repository's folder holds.
func again(t *testing.T, dir, tag string) (commit string) {
	t.Helper()
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "-m", "change")
	git(t, dir, "tag", tag)
	return strings.TrimSpace(git(t, dir, "rev-parse", "HEAD"))
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=x", "-c", "user.email=x@example.com"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestDeployRepository(t *testing.T) {
	t.Parallel()
	b := setup(t)
	url, first := repository(t, hello("one"), "v1")
	dir := strings.TrimPrefix(url, "file://")
	fill(t, dir, map[string]string{"server.js": hello("two")["server.js"]})
	second := again(t, dir, "v2")

	deployed := func(want, commit string, args ...string) (stderr string) {
		t.Helper()
		_, stderr = b.must(append([]string{"deploy"}, args...)...)
		if got := b.get("hello", "/"); got != want || !strings.Contains(stderr, "as 1.0.0-"+commit[:12]+" in") {
			t.Errorf("%q: it answers %q, %q", args, got, stderr)
		}
		return stderr
	}
	deployed("two", second, url)
	if stderr := deployed("one", first, url+"#v1"); !strings.Contains(stderr, "Cloning file://"+dir+"\n") || !strings.Contains(stderr, "Uploading") {
		t.Errorf("got %q", stderr)
	}
	// A commit is built once.
	if stderr := deployed("two", second, url, "--ref", "v2"); !strings.Contains(stderr, "built already") || strings.Contains(stderr, "Uploading") {
		t.Errorf("got %q", stderr)
	}
	deployed("one", first, url+"#"+first)
	deployed("two", second, url, "--ref=main")

	if code, _, stderr := b.call("", "deploy", url+"#none"); code != 1 || !strings.Contains(stderr, "webhooks: git: ") || !strings.Contains(stderr, "none") {
		t.Errorf("no such branch: code %d and %q", code, stderr)
	}
	if code, _, stderr := b.call("", "deploy", "file:///nowhere/at/all"); code != 1 || !strings.Contains(stderr, "/nowhere/at/all") {
		t.Errorf("no such repository: code %d and %q", code, stderr)
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "webhooks-deploy-*", ".git", "config"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range left {
		if text, err := os.ReadFile(name); err == nil && strings.Contains(string(text), dir) {
			t.Errorf("a clone is left in %s", name)
		}
	}
}

// git must not run a program that the URL names, nor prompt.
func TestDeployRefusesURLs(t *testing.T) {
	t.Parallel()
	canary := filepath.Join(t.TempDir(), "canary")
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"ext":            {[]string{"ext::sh -c touch% " + canary}, "want https://, ssh:// or file://"},
		"fd":             {[]string{"fd::7"}, "want https://, ssh:// or file://"},
		"nested":         {[]string{"file::ext::x"}, "want https://, ssh:// or file://"},
		"http":           {[]string{"http://127.0.0.1:1/x.git"}, "want https://, ssh:// or file://"},
		"git":            {[]string{"git://127.0.0.1:1/x.git"}, "want https://, ssh:// or file://"},
		"dash":           {[]string{"--", "--upload-pack=touch " + canary + "://x"}, "want https://, ssh:// or file://"},
		"host's dash":    {[]string{"ssh://-oProxyCommand=touch%20x/x"}, "invalid URL of a repository"},
		"no host":        {[]string{"https:///x"}, "it has no host or no path"},
		"file's host":    {[]string{"file://elsewhere/x"}, "it has no host or no path"},
		"credentials":    {[]string{"https://me:hunter2@127.0.0.1:1/x.git"}, "must not contain credentials"},
		"token":          {[]string{"https://hunter2@127.0.0.1:1/x.git"}, "must not contain credentials"},
		"ssh's password": {[]string{"ssh://git:hunter2@127.0.0.1:1/x.git"}, "must not contain credentials"},
		"short form":     {[]string{"git@example.com:me/x.git"}, "ssh://git@example.com/me/x.git"},
		"ref's dash":     {[]string{"https://127.0.0.1:1/x.git", "--ref=--upload-pack=x"}, "invalid branch, tag or commit"},
		"ref as a range": {[]string{"https://127.0.0.1:1/x.git#a..b"}, "invalid branch, tag or commit"},
		"refspec":        {[]string{"https://127.0.0.1:1/x.git#a:b"}, "invalid branch, tag or commit"},
		"two refs":       {[]string{"https://127.0.0.1:1/x.git#a", "--ref=b"}, "once"},
		"folder's ref":   {[]string{".", "--ref=b"}, "--ref needs the URL of a repository"},
	} {
		args := append([]string{"deploy", "--user", "dscape", "--to", "http://127.0.0.1:1", "--password-file", "-"}, test.args...)
		code, _, stderr := run(t, "secret\n", args...)
		if code != 2 || !strings.Contains(stderr, test.says) || strings.Contains(stderr, "hunter2") {
			t.Errorf("%s: code %d and %q, want %q", name, code, stderr, test.says)
		}
	}
	if _, err := os.Stat(canary); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was run: %v", err)
	}
}

func TestDeployFailures(t *testing.T) {
	t.Parallel()
	b := setup(t)
	fails := func(files map[string]string, args []string, wants ...string) {
		t.Helper()
		code, stdout, stderr := b.call("", append([]string{"deploy", folder(t, files)}, args...)...)
		if code != 1 || stdout != "" {
			t.Errorf("got code %d and %q", code, stdout)
		}
		for _, want := range wants {
			if !strings.Contains(stderr, want) {
				t.Errorf("no %q in %q", want, stderr)
			}
		}
		if strings.ContainsAny(stderr, "\x1b\x07") {
			t.Errorf("control characters in %q", stderr)
		}
	}
	unbuildable, crashing := hello("x"), hello("x")
	unbuildable["package.json"] = `{"name":"hello","scripts":{"install":"printf 'la\\033[31mst\\007 words\\n'; exit 3","start":"node server.js"}}`
	crashing["server.js"] = `console.error('la\x1b]0;title\x07st words'); process.exit(3)`

	fails(unbuildable, nil, "last words", "the build failed: ", "deploy again\n")
	fails(crashing, nil, "the app did not start: ", "last words", "$PORT", "deploy again\n")
	b.must("deploy", folder(t, hello("good")))
	good, err := b.client.App(t.Context(), "dscape", "hello")
	if err != nil {
		t.Fatal(err)
	}
	fails(unbuildable, nil, "the build failed: ", ""+good.Running.ID+" goes on running\n")
	fails(crashing, nil, "the app did not start: ", ""+good.Running.ID+" goes on running\n")
	if b.get("hello", "/") != "good" {
		t.Error("the version before does not go on")
	}
	// The next start takes what starts.
	if app, err := b.client.App(t.Context(), "dscape", "hello"); err != nil || app.Active == nil || app.Active.ID != good.Active.ID {
		t.Errorf("got %+v, %v", app.Active, err)
	}

	fails(map[string]string{"server.js": ""}, nil, "there is no package.json; name the folder that has the app's")
	fails(map[string]string{"package.json": "{}"}, nil, "package.json has no name for the app: add one to it, as in \"name\": \"", "or run `webhooks deploy --app ")
	fails(map[string]string{"package.json": `{"name":"@me/Hello World"}`}, nil, "deploy with another name, as in --app hello-world")
	fails(map[string]string{"package.json": "{]"}, nil, "package.json is not a JSON object")
	badEnv := maps.Clone(hello("x"))
	badEnv["package.json"] = `{"name":"hello","env":{"A":{}}}`
	fails(badEnv, []string{"--app", "fresh"}, `The variable "A" in env must be a string`)
	if _, err := b.client.App(t.Context(), "dscape", "fresh"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if code, _, stderr := b.call("wrong\n", "deploy", folder(t, hello("x")), "--password-file", "-"); code != 1 || !strings.Contains(stderr, "refuses the credentials of dscape: check the user name, and the password or API token") {
		t.Errorf("wrong password: code %d and %q", code, stderr)
	}
	if code, _, stderr := b.call("", "deploy", "/nowhere", "--timeout", time.Minute.String()); code != 1 || !strings.Contains(stderr, "/nowhere") {
		t.Errorf("no folder: code %d and %q", code, stderr)
	}
}
