//go:build linux

// The embedded platform, which these tests call, needs Linux.

package cli_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

func TestApps(t *testing.T) {
	t.Parallel()
	b := setup(t)
	says := func(want string, args ...string) {
		t.Helper()
		if stdout, _ := b.must(args...); !strings.Contains(stdout, want) {
			t.Errorf("%q: got %q, want %q", args, stdout, want)
		}
	}
	fails := func(code int, want string, args ...string) {
		t.Helper()
		if got, stdout, stderr := b.call("", args...); got != code || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%q: got code %d, %q and %q; want %d and %q", args, got, stdout, stderr, code, want)
		}
	}

	if stdout, stderr := b.must("apps", "list"); stdout != "" || !strings.Contains(stderr, "dscape has no apps") {
		t.Errorf("got %q and %q", stdout, stderr)
	}
	if stdout, _ := b.must("apps", "list", "--output", "json"); strings.TrimSpace(stdout) != "[]" {
		t.Errorf("got %q", stdout)
	}
	says("created hello: stopped", "apps", "create", "hello", "--subdomain", "hi", "--domain", "hello.example.com")
	fails(1, "hello", "apps", "create", "hello")
	fails(1, "Cannot start application with no snapshots", "apps", "start", "hello")

	b.must("deploy", folder(t, hello("one")))
	says("hello  started  1 of 1  1.0.0-", "apps", "list")
	says("http://hi.localhost:", "apps", "list")
	says("domains   hello.example.com\n", "apps", "view", "hello")
	says(", active, running\n", "apps", "view", "hello")

	// What it is deployed from.
	says("any: the next delivery", "apps", "source", "hello")
	says("github.com/dscape/hello@main", "apps", "source", "hello", "github.com/dscape/hello@main")
	says(`"source": "github.com/dscape/hello@main"`, "apps", "source", "hello", "--output", "json")
	says("any", "apps", "source", "hello", "--any")
	fails(2, "want HOST/OWNER/NAME@BRANCH", "apps", "source", "hello", "dscape/hello")
	fails(2, "either", "apps", "source", "hello", "github.com/dscape/hello@main", "--any")

	// The domains.
	says("hello.example.com\nwww.example.com\n", "apps", "domains", "add", "hello", "www.example.com")
	fails(1, "no domain \"example.net\"", "apps", "domains", "remove", "hello", "example.net")
	fails(1, "is not a domain", "apps", "domains", "add", "hello", "no domain")
	says("www.example.com\n", "apps", "domains", "remove", "hello", "hello.example.com")
	says(`"www.example.com"`, "apps", "domains", "list", "hello", "--output", "json")
	b.must("apps", "domains", "remove", "hello", "www.example.com")
	b.must("apps", "domains", "add", "hello", "hello.example.com")

	// The environment.
	env := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(env, []byte("# comment\n\nSECRET=from = file\r\nGREETING=no\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr := b.must("apps", "env", "set", "hello", "GREETING=, hi", "EMPTY=", "--file", env); !strings.Contains(stderr, "after `webhooks apps restart hello`") {
		t.Errorf("got %q", stderr)
	}
	if stdout, stderr := b.must("apps", "env", "list", "hello"); stdout != "EMPTY=\nGREETING=, hi\nSECRET=***\n" || !strings.Contains(stderr, "Set by the platform and not listed: PORT, ") {
		t.Errorf("got %q", stdout)
	}
	says("EMPTY=\nGREETING=, hi\nSECRET=from = file\n", "apps", "env", "list", "hello", "--reveal")
	for _, args := range [][]string{{"apps", "view", "hello"}, {"apps", "list"}, {"apps", "env", "list", "hello"}, {"apps", "env", "set", "hello", "X="}, {"apps", "env", "delete", "hello", "X"}} {
		if stdout, _ := b.must(append(args, "--output", "json")...); strings.Contains(stdout, "from = file") {
			t.Errorf("%v: got %q", args, stdout)
		}
	}
	if stdout, _ := b.must("apps", "view", "hello"); !strings.Contains(stdout, "EMPTY, GREETING, SECRET\n") || strings.Contains(stdout, "from = file") {
		t.Errorf("got %q", stdout)
	}
	if b.get("hi", "/") != "one" {
		t.Error("it has the change before it is restarted")
	}
	says("restarted hello: started, 1 of 1 drones, http://hi.localhost:", "apps", "restart", "hello")
	if got := b.get("hi", "/"); got != "one, hi" {
		t.Errorf("got %q", got)
	}
	fails(1, `no variable "NONE"`, "apps", "env", "delete", "hello", "GREETING", "NONE")
	b.must("apps", "env", "delete", "hello", "GREETING", "EMPTY", "--restart")
	if got := b.get("hi", "/"); got != "one" {
		t.Errorf("got %q", got)
	}
	if stdout, _ := b.must("apps", "env", "list", "hello", "--reveal", "--output", "json"); !strings.Contains(stdout, `"SECRET": "from = file"`) || strings.Contains(stdout, "GREETING") {
		t.Errorf("got %q", stdout)
	}
	if code, _, stderr := b.call("A=1\nhunter2\n", "apps", "env", "set", "hello", "--file", "-"); code != 1 || !strings.Contains(stderr, "line 2") || strings.Contains(stderr, "hunter2") {
		t.Errorf("got code %d and %q", code, stderr)
	}

	// Drones, stop and start.
	says("changed the drones of hello: started, 2 of 2 drones", "apps", "drones", "hello", "2")
	fails(1, "drones", "apps", "drones", "hello", "1000000")
	says("memory     1024 MiB\n", "apps", "limits", "hello")
	says("memory     256 MiB\ncpus       no limit\nprocesses  200\n", "apps", "limits", "hello", "--memory", "256", "--processes", "200")
	says(`"ram": 256`, "apps", "limits", "hello", "--output", "json")
	fails(1, "64 to 4096 MiB", "apps", "limits", "hello", "--memory", "5000")
	fails(2, "--drones", "apps", "limits", "hello", "--drones", "0")
	if got := b.get("hi", "/"); got != "one" {
		t.Errorf("got %q", got)
	}
	says("stopped hello: stopped\n", "apps", "stop", "hello")
	says("started hello: started, 2 of 2 drones", "apps", "start", "hello")
	stdout, _ := b.must("apps", "view", "hello", "--output", "json")
	var app struct {
		Name, State string
		MaxDrones   int
		Running     struct{ ID string }
	}
	if err := json.Unmarshal([]byte(stdout), &app); err != nil || app.Name != "hello" || app.State != "started" || app.MaxDrones != 2 || app.Running.ID == "" {
		t.Errorf("got %q, %v", stdout, err)
	}

	// Destroying is asked for.
	fails(2, "--yes", "apps", "destroy", "hello")
	for _, answer := range []string{"\n", "n\n", "hello\n"} {
		if code, _, stderr := b.call(answer, "apps", "destroy", "hello"); code != 1 || !strings.Contains(stderr, "Destroy hello of dscape, with its data, its log and 1 snapshot? [y/N] nothing was destroyed\n") {
			t.Errorf("%q: got code %d and %q", answer, code, stderr)
		}
	}
	if code, stdout, stderr := b.call("y\n", "apps", "destroy", "hello"); code != 0 || stdout != "destroyed hello\n" {
		t.Errorf("got code %d, %q and %q", code, stdout, stderr)
	}
	if _, err := b.client.App(t.Context(), "dscape", "hello"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	fails(1, "hello", "apps", "destroy", "hello", "--yes")
	b.must("apps", "create", "other")
	b.must("apps", "destroy", "other", "--yes")
}
