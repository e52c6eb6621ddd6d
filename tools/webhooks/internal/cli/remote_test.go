//go:build linux

// The embedded platform, which these tests call, needs Linux.

package cli_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/deployer/platform"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/cli"
)

// patience is how long something may take that must happen. Only what hangs
// takes so long, however busy the machine is.
const patience = 10 * time.Minute

const password = "correct horse"

// bench is a platform with a user, dscape, who calls it by the command line.
type bench struct {
	*platform.Platform
	t      *testing.T
	client *nodejitsu.Client // dscape
}

func setup(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	// If the tests run as root, apps run as other users, who must be able to pass.
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	b := &bench{t: t, Platform: platform.New(platform.Options{Dir: filepath.Join(dir, "data"), ReadyTimeout: patience, MinReadyTime: time.Second})}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
		defer cancel()
		if err := b.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	service := b.as(core.ServiceUser, b.Key())
	if err := service.CreateUser(t.Context(), nodejitsu.User{Username: "dscape", Password: core.NewSecret(password)}); err != nil {
		t.Fatal(err)
	}
	b.client = b.as("dscape", core.NewSecret(password))
	return b
}

func (b *bench) as(user string, secret core.Secret) *nodejitsu.Client {
	client := nodejitsu.New(nodejitsu.Options{
		Endpoint: func() string { return b.URL() }, Username: user, Password: func() core.Secret { return secret },
	})
	b.t.Cleanup(client.Close)
	return client
}

// call runs a command line of dscape.
func (b *bench) call(stdin string, args ...string) (code int, stdout, stderr string) {
	b.t.Helper()
	var out, errs bytes.Buffer
	code = cli.Run(b.t.Context(), cli.IO{
		Args: args, Environ: append(environ(), "WEBHOOKS_TO="+b.URL()), Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs,
	}, "v1.2.3")
	for _, text := range []string{out.String(), errs.String()} {
		if strings.Contains(text, password) {
			b.t.Errorf("%q shows the password", args)
		}
	}
	return code, out.String(), errs.String()
}

// Users change their own password and mail address at the platform, as other commands
// for users call it; two passwords on stdin are two lines.
func TestOwnUser(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if said, _ := b.must("users", "email", "dscape", "me@example.com"); said != "changed the mail address of dscape\n" {
		t.Errorf("email: %q", said)
	}
	if user, err := b.client.User(t.Context(), "dscape"); err != nil || user.Email != "me@example.com" {
		t.Errorf("got %+v, %v", user, err)
	}
	passwd := []string{"users", "passwd", "dscape", "--password-file", "-", "--new-password-file", "-"}
	for stdin, want := range map[string]string{
		password + "\n":                "--new-password-file: no line on stdin: each flag with - reads one",
		password + "\nshort\n":         "fewer than 8 characters",
		"wrong horse\nanother horse\n": "refuses the credentials of dscape",
		"":                             "--password-file: no line on stdin",
	} {
		if code, _, said := b.call(stdin, passwd...); code == 0 || !strings.Contains(said, want) {
			t.Errorf("code %d, %q, want %q", code, said, want)
		}
	}
	if code, said, _ := b.call(password+"\nanother horse\n", passwd...); code != 0 || said != "changed the password of dscape\n" {
		t.Errorf("code %d, %q", code, said)
	}
	if _, err := b.as("dscape", core.NewSecret("another horse")).User(t.Context(), "dscape"); err != nil {
		t.Errorf("the new password: %v", err)
	}
}

func environ() []string {
	return append(os.Environ(), "WEBHOOKS_USER=dscape", "WEBHOOKS_PASSWORD="+password)
}

// must runs a command line that succeeds.
func (b *bench) must(args ...string) (stdout, stderr string) {
	b.t.Helper()
	code, stdout, stderr := b.call("", args...)
	if code != 0 {
		b.t.Fatalf("%q: code %d, %q and %q", args, code, stdout, stderr)
	}
	return stdout, stderr
}

// get requests a path of the app of a subdomain.
func (b *bench) get(subdomain, path string) string {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, "http://"+b.RouterAddr()+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Host = subdomain + ".localhost"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// folder writes files by path.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	fill(t, dir, files)
	return dir
}

func fill(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		whole := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(whole), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(whole, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// hello is an app that answers with a text, which also has the variable
// GREETING, and logs what it is asked for.
func hello(text string) map[string]string {
	return map[string]string{
		"package.json": `{"name":"hello","version":"1.0.0","scripts":{"start":"node server.js"}}`,
		"server.js": `
			console.log('up: ` + text + `');
			require('http').createServer((req, res) => {
				console.log(decodeURIComponent(req.url));
				res.end('` + text + `' + (process.env.GREETING || ''));
			}).listen(process.env.PORT);`,
	}
}

// signalled is what a command writes while it goes on.
type signalled struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{}
}

func newSignalled() *signalled { return &signalled{written: make(chan struct{}, 1)} }

func (s *signalled) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.written <- struct{}{}:
	default:
	}
	return s.text.Write(p)
}

func (s *signalled) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until it holds a text.
func (s *signalled) await(t *testing.T, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !strings.Contains(s.String(), text) {
		select {
		case <-s.written:
		case <-ctx.Done():
			t.Fatalf("never: %q in %q", text, s.String())
		}
	}
}

// door is a way to a platform that can be shut.
type door struct {
	url  string
	shut atomic.Bool
}

func newDoor(t *testing.T, to string) *door {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	d := &door{}
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.shut.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

func TestWrongRemoteCalls(t *testing.T) {
	t.Parallel()
	who := []string{"--user", "dscape"}
	to := func(address string, args ...string) []string { return append(append(args, who...), "--to", address) }
	tests := map[string]struct {
		args    []string
		environ []string
		code    int
		says    string
	}{
		"no user":               {[]string{"apps", "list"}, nil, 2, "--user or WEBHOOKS_USER"},
		"no user's name":        {[]string{"apps", "list", "--user", "../x"}, nil, 2, `invalid user name "../x"`},
		"no password":           {[]string{"apps", "list", "--user", "dscape"}, nil, 2, "WEBHOOKS_PASSWORD or --password-file"},
		"no password file":      {to("http://127.0.0.1:1", "apps", "list", "--password-file", "/none"), nil, 1, "--password-file: open /none"},
		"empty password file":   {to("http://127.0.0.1:1", "apps", "list", "--password-file", "/dev/null"), nil, 2, "is empty"},
		"empty stdin":           {to("http://127.0.0.1:1", "apps", "list", "--password-file", "-"), nil, 2, "no line on stdin"},
		"no URL":                {to("127.0.0.1:8001", "apps", "list"), nil, 2, "invalid URL of the platform in --to"},
		"URL with credentials":  {to("http://me:hunter2@127.0.0.1:1", "apps", "list"), nil, 2, "must not contain a user or a password"},
		"invalid setting":       {[]string{"apps", "list", "--user", "dscape"}, []string{"WEBHOOKS_WORKERS=0"}, 2, "--workers: must be at least 1, not 0"},
		"nothing there":         {to("http://127.0.0.1:1", "apps", "list"), []string{"WEBHOOKS_PASSWORD=x"}, 1, "is there a platform at http://127.0.0.1:1?"},
		"the variable":          {[]string{"apps", "list", "--user", "dscape"}, []string{"WEBHOOKS_PASSWORD=x", "WEBHOOKS_TO=http://127.0.0.1:2"}, 1, "is there a platform at http://127.0.0.1:2?"},
		"variable, no URL":      {[]string{"apps", "list", "--user", "dscape"}, []string{"WEBHOOKS_PASSWORD=x", "WEBHOOKS_TO=:8001"}, 2, "invalid URL of the platform in WEBHOOKS_TO"},
		"the setting":           {[]string{"apps", "list", "--user", "dscape"}, []string{"WEBHOOKS_PASSWORD=x", "WEBHOOKS_PLATFORM_URL=http://127.0.0.1:4", "WEBHOOKS_PLATFORM_KEY_FILE=/none"}, 1, "is there a platform at http://127.0.0.1:4?"},
		"the listening setting": {[]string{"apps", "list", "--user", "dscape"}, []string{"WEBHOOKS_PASSWORD=x", "WEBHOOKS_PLATFORM_LISTEN=0.0.0.0:3"}, 1, "is there a platform at http://127.0.0.1:3?"},
		"no app's name":         {to("http://127.0.0.1:1", "logs", "A"), []string{"WEBHOOKS_PASSWORD=x"}, 2, `invalid app name "A"`},
		"two folders":           {[]string{"deploy", "a", "b"}, nil, 2, "takes one folder or URL"},
		"no snapshot argument":  {[]string{"rollback"}, nil, 2, "takes an app and optionally a snapshot"},
		"no number":             {to("http://127.0.0.1:1", "apps", "drones", "hello", "many"), []string{"WEBHOOKS_PASSWORD=x"}, 2, `invalid number of drones "many"`},
		"too many lines":        {to("http://127.0.0.1:1", "logs", "hello", "-n", "10001"), []string{"WEBHOOKS_PASSWORD=x"}, 2, "--lines"},
		"no pair":               {to("http://127.0.0.1:1", "apps", "env", "set", "hello", "A"), []string{"WEBHOOKS_PASSWORD=x"}, 2, "NAME=VALUE"},
		"nothing to set":        {to("http://127.0.0.1:1", "apps", "env", "set", "hello"), []string{"WEBHOOKS_PASSWORD=x"}, 2, "NAME=VALUE"},
		"nothing to delete":     {to("http://127.0.0.1:1", "apps", "env", "delete", "hello"), nil, 2, "at least 2 arguments"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			code := cli.Run(t.Context(), cli.IO{Args: test.args, Environ: test.environ, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}, "")
			if code != test.code || !strings.Contains(errs.String(), test.says) || out.Len() > 0 {
				t.Errorf("got code %d, %q and %q; want %d and %q", code, out.String(), errs.String(), test.code, test.says)
			}
			if strings.Contains(errs.String(), "hunter2") {
				t.Error("a password is shown")
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, secret, _ := r.BasicAuth()
		asked <- user + ":" + secret
		_, _ = io.WriteString(w, `{"apps":[]}`)
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("from file\r\nmore\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args    []string
		environ []string
		want    string
	}{
		"environment":        {nil, []string{"WEBHOOKS_USER=me", "WEBHOOKS_PASSWORD=from env"}, "me:from env"},
		"file over it":       {[]string{"--password-file", file}, []string{"WEBHOOKS_USER=me", "WEBHOOKS_PASSWORD=from env"}, "me:from file"},
		"stdin, user's flag": {[]string{"--password-file", "-", "--user", "you"}, []string{"WEBHOOKS_USER=me"}, "you:from stdin"},
	}
	for name, test := range tests {
		var out, errs bytes.Buffer
		code := cli.Run(t.Context(), cli.IO{
			Args: append([]string{"apps", "list", "--to", server.URL + "/"}, test.args...), Environ: test.environ,
			Stdin: strings.NewReader("from stdin\n"), Stdout: &out, Stderr: &errs,
		}, "")
		if code != 0 {
			t.Fatalf("%s: code %d and %q", name, code, errs.String())
		}
		if got := <-asked; got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestRemoteHelpHasExamples(t *testing.T) {
	t.Parallel()
	for _, command := range []string{
		"deploy", "logs", "rollback", "apps", "apps list", "apps view", "apps create", "apps start", "apps stop", "apps restart",
		"apps destroy", "apps drones", "apps env", "apps env list", "apps env set", "apps env delete",
	} {
		code, stdout, stderr := run(t, "", append(strings.Fields(command), "--help")...)
		if code != 0 || stderr != "" || !strings.Contains(stdout, "Examples:") || !strings.Contains(stdout, "  webhooks "+command) {
			t.Errorf("%s: got code %d, %q and %q", command, code, stdout, stderr)
		}
		if !strings.Contains(command, "apps env") && command != "apps" && !strings.Contains(stdout, "http://127.0.0.1:8001") {
			t.Errorf("%s does not show the default URL of the platform", command)
		}
	}
}
