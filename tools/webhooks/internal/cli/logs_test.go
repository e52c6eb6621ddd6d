//go:build linux

// The embedded platform, which these tests call, needs Linux.

package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/cli"
)

// follow runs `webhooks logs -f` until stop is called, which returns its code.
func (b *bench) follow(args ...string) (stdout, stderr *signalled, stop func() int) {
	b.t.Helper()
	stdout, stderr = newSignalled(), newSignalled()
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan int, 1)
	go func() {
		done <- cli.Run(ctx, cli.IO{
			Args: append([]string{"logs", "hello", "-f", "--to", b.URL()}, args...), Environ: environ(),
			Stdin: strings.NewReader(""), Stdout: stdout, Stderr: stderr,
		}, "")
	}()
	b.t.Cleanup(cancel)
	return stdout, stderr, func() int {
		cancel()
		return <-done
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must("deploy", folder(t, hello("one")))
	for i := range 5 {
		b.get("hello", fmt.Sprintf("/asked-%d%%1B[31m-for", i))
	}
	stdout, _, stop := b.follow("-n", "1")
	stdout.await(t, "/asked-4-for\n")
	b.get("hello", "/new")
	stdout.await(t, "/new\n")
	if code := stop(); code != 0 {
		t.Errorf("it ends with code %d", code)
	}
	if strings.Contains(stdout.String(), "asked-0") {
		t.Errorf("got %q, with what was there before", stdout.String())
	}

	got, _ := b.must("logs", "hello", "-n", "3")
	if want := `^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z out web\.1 /(asked-3-for|asked-4-for|new)\n){3}$`; !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("got %q, want %s", got, want)
	}
	if got, _ := b.must("logs", "hello", "--raw"); !strings.Contains(got, "out web.1 up: one\n") || !strings.Contains(got, "/asked-0\x1b[31m-for\n") {
		t.Errorf("got %q", got)
	}
	got, _ = b.must("logs", "hello", "-n", "1", "--output", "json")
	var line struct {
		Stream, Text, Process string
		Drone                 int
	}
	if err := json.Unmarshal([]byte(got), &line); err != nil || line.Stream != "out" || line.Text != "/new" || line.Process != "web" || line.Drone != 1 {
		t.Errorf("got %q, %v", got, err)
	}
	if code, _, stderr := b.call("", "logs", "none"); code != 1 || !strings.Contains(stderr, "none") {
		t.Errorf("got code %d and %q", code, stderr)
	}
}

// A followed log has each line once, in order, even if lines are equal, and across
// a restart of the app.
func TestLogsAreFollowed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	files := hello("one")
	files["server.js"] += `
		let n = 0;
		const tick = () => { for (let i = 0; i < 25; i++) { console.log('line ' + n++); console.log('same'); } if (n < 500) setTimeout(tick, 50); else console.log('the end'); };
		tick();`
	b.must("apps", "create", "hello")
	stdout, _, stop := b.follow()
	b.must("deploy", folder(t, files))
	stdout.await(t, "the end\n")
	b.must("apps", "env", "set", "hello", "GREETING=hi", "--restart")
	b.get("hello", "/bye")
	stdout.await(t, "/bye\n")
	for strings.Count(stdout.String(), "the end\n") < 2 {
		<-stdout.written
	}
	if code := stop(); code != 0 {
		t.Errorf("it ends with code %d", code)
	}
	text := stdout.String()
	if got := strings.Count(text, " same\n"); got != 1000 {
		t.Errorf("got %d lines that are the same, want 1000", got)
	}
	for i := range 500 {
		if got := strings.Count(text, fmt.Sprintf(" line %d\n", i)); got != 2 {
			t.Fatalf("line %d was printed %d times, want 2", i, got)
		}
	}
	if first, last := strings.Index(text, " line 0\n"), strings.Index(text, " line 499\n"); first > last {
		t.Error("not in order")
	}
}

// A platform that is away for a moment does not end it.
func TestLogsOutliveAnOutage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must("deploy", folder(t, hello("one")))
	door := newDoor(t, b.URL())
	stdout, stderr, stop := b.follow("--to", door.url)
	stdout.await(t, "up: one\n")
	door.shut.Store(true)
	b.get("hello", "/meanwhile")
	stderr.await(t, "trying again\n")
	door.shut.Store(false)
	stdout.await(t, "/meanwhile\n")
	if code := stop(); code != 0 || strings.Count(stderr.String(), "trying again") != 1 || strings.Count(stdout.String(), "up: one\n") != 1 {
		t.Errorf("got code %d, %q and %q", code, stdout, stderr)
	}

	// Its end does.
	_, stderr, stop = b.follow("--to", door.url)
	b.must("apps", "destroy", "hello", "--yes")
	stderr.await(t, "webhooks: ")
	if code := stop(); code != 1 {
		t.Errorf("it ends with code %d", code)
	}
}
