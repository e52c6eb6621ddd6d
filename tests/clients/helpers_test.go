// Package clients tests the embedded platform with the clients that were published
// for the hosted one, unmodified.
package clients

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest/leftovers"
	"github.com/nodejitsu/webhooks/deployer/platform"
)

// library is the npm package that is tested.
const library = "nodejitsu-api@0.6.6"

// patience is how long something may take that must happen. Only what hangs
// takes so long, however busy the machine is.
const patience = 10 * time.Minute

// installed is the folder with the library, made once by TestMain.
var installed string

func TestMain(m *testing.M) { os.Exit(leftovers.Run(tests{m})) }

// tests are the tests of this package with what goes before and after all of
// them.
type tests struct{ *testing.M }

func (ts tests) Run() int {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dir, err := os.MkdirTemp("", "library-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what is left is reported
	cmd := exec.CommandContext(ctx, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", library)
	cmd.Dir = dir
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte("{}"), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "installing %s: %v\n%s", library, err, out)
		return 1
	}
	installed = dir
	return ts.M.Run()
}

// serve returns a platform that runs, and is stopped at the end.
func serve(t *testing.T, o platform.Options) *platform.Platform {
	t.Helper()
	dir := t.TempDir()
	// If the tests run as root, each app has a user, who needs access.
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	o.Dir, o.ReadyTimeout = filepath.Join(dir, "data"), patience
	p := platform.New(o)
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return p
}

// client runs the library in a process of its own.
type client struct {
	t     *testing.T
	in    io.Writer
	lines *bufio.Scanner
	log   *bytes.Buffer // stderr; read it when the process has ended
	end   func()
	chunk func(string) // called for each part of an upload's output
}

// connect returns a client of a user of the platform.
func connect(t *testing.T, p *platform.Platform, username, password string) *client {
	t.Helper()
	driver, err := filepath.Abs(filepath.Join("testdata", "driver.js"))
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(p.URL())
	if err != nil {
		t.Fatal(err)
	}
	// It ends by itself, not by the end of the test's context.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	cmd := exec.CommandContext(ctx, "node", driver, installed)
	c := &client{t: t, log: &bytes.Buffer{}, chunk: func(string) {}}
	cmd.Stderr = c.log
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.in, c.lines = in, bufio.NewScanner(out)
	c.lines.Buffer(nil, 16<<20)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	c.end = func() {
		if ended {
			return
		}
		ended = true
		_ = in.Close() // then it ends by itself
		err := cmd.Wait()
		cancel()
		if err != nil {
			t.Errorf("the client of %s: %v\n%s", username, err, c.log)
		}
	}
	t.Cleanup(c.end)
	c.send(map[string]any{
		"remoteUri": p.URL(), "username": username, "password": password,
		"logs": map[string]string{"protocol": "http", "host": at.Hostname(), "port": at.Port()},
	})
	return c
}

func (c *client) send(line any) {
	c.t.Helper()
	text, err := json.Marshal(line)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.in.Write(append(text, '\n')); err != nil {
		c.t.Fatal(err)
	}
}

// answer is the result of a call of the library.
type answer struct {
	t        *testing.T
	call     string
	Error    *failure          `json:"error"`
	Result   json.RawMessage   `json:"result"`
	Status   int               `json:"status"`   // of an upload
	Trailers map[string]string `json:"trailers"` // of an upload
	Sent     struct {          // of an upload, in events of the library
		Start, Data int64
		End         bool
	} `json:"sent"`
	Chunk  *string `json:"chunk"`
	output string  // of an upload
}

// failure is the library's error.
type failure struct {
	Status  int             `json:"status"`
	Message string          `json:"message"`
	Result  json.RawMessage `json:"result"`
}

// call makes a call, such as "apps.view", and returns its result.
func (c *client) call(name string, args ...any) answer {
	c.t.Helper()
	on, method, _ := strings.Cut(name, ".")
	if args == nil {
		args = []any{}
	}
	c.send(map[string]any{"on": on, "call": method, "args": args})
	output := ""
	for c.lines.Scan() {
		a := answer{t: c.t, call: name}
		if err := json.Unmarshal(c.lines.Bytes(), &a); err != nil {
			c.t.Fatalf("%s: %v in %s", name, err, c.lines.Text())
		}
		if a.Chunk == nil {
			a.output = output
			return a
		}
		output += *a.Chunk
		c.chunk(*a.Chunk)
	}
	c.end()
	c.t.Fatalf("%s: the client ended: %v\n%s", name, c.lines.Err(), c.log)
	return answer{}
}

// ok makes a call that must succeed, and returns its result, an object.
func (c *client) ok(name string, args ...any) map[string]any {
	c.t.Helper()
	var object map[string]any
	c.list(&object, name, args...)
	return object
}

// list makes a call that must succeed, and decodes its result.
func (c *client) list(into any, name string, args ...any) {
	c.t.Helper()
	a := c.call(name, args...)
	if a.Error != nil {
		c.t.Fatalf("%s: %s: %s", name, a.Error.Message, a.Error.Result)
	}
	if err := json.Unmarshal(a.Result, into); err != nil {
		c.t.Fatalf("%s: %v in %q", name, err, a.Result)
	}
}

// refused makes a call that must be refused, and returns the message.
func (c *client) refused(status int, as, name string, args ...any) (message string) {
	c.t.Helper()
	a := c.call(name, args...)
	if a.Error == nil {
		c.t.Fatalf("%s: not refused: %s", name, a.Result)
	}
	var said struct{ Error, Message string }
	if err := json.Unmarshal(a.Error.Result, &said); err != nil {
		c.t.Fatalf("%s: %s: %v in %q", name, a.Error.Message, err, a.Error.Result)
	}
	if a.Error.Status != status || said.Error != as {
		c.t.Errorf("%s: %d %+v, want %d %s", name, a.Error.Status, said, status, as)
	}
	return said.Message
}

// user creates a user with the password "password" through the library, and returns
// a client of it.
func user(t *testing.T, p *platform.Platform, name string) *client {
	t.Helper()
	operator := connect(t, p, core.ServiceUser, p.Key().Reveal())
	operator.ok("users.create", map[string]string{"username": name, "password": "password", "email": name + "@example.org"})
	operator.end()
	return connect(t, p, name, "password")
}

// pack returns the path of a tgz with the top folder package/.
func pack(t *testing.T, files map[string]string) string {
	t.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zip)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		header := &tar.Header{Name: "package/" + name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(files[name]))}
		if err := archive.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(archive, files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "snapshot.tgz")
	if err := os.WriteFile(path, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// hello returns an app that answers with a text.
func hello(t *testing.T, text string) string {
	t.Helper()
	return pack(t, map[string]string{
		"package.json": `{"name":"app","version":"1.0.0","scripts":{"start":"server.js"},"engines":{"node":">=0.8"}}`,
		"server.js": `console.log('up: ` + text + `');
			require('http').createServer((req, res) => res.end('` + text + `')).listen(process.env.PORT);`,
	})
}

// get requests the app of a subdomain.
func get(t *testing.T, p *platform.Platform, subdomain string) (status int, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.RouterAddr(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(p.RouterAddr())
	if err != nil {
		t.Fatal(err)
	}
	req.Host = net.JoinHostPort(subdomain+".localhost", port)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
