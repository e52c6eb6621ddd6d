package processes_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/processes"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

func TestLogs(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{})
	spec := b.app("app", "serve.js")
	spec.Start = `printf 'one\r\ntwo\n\377\0binary\n' ; echo oops >&2; exec node serve.js`
	begin := time.Now()
	b.mustSwitch(spec)
	if err := b.Halt(t.Context(), "me", "app"); err != nil {
		t.Fatal(err)
	}
	lines, err := b.Logs("me", "app", time.Time{}, time.Time{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	text := join(lines)
	mention(t, text, "stdout: one\n", "stdout: two\n", "stdout: \ufffd\x00binary\n", "stderr: oops\n", "stdout: listening\n", "stdout: ending\n")
	for i, line := range lines {
		if line.Drone != 1 || line.Time.Before(begin.Add(-time.Second)) || i > 0 && line.Time.Before(lines[i-1].Time.Add(-time.Second)) {
			t.Errorf("line %+v", line)
		}
	}
	last, err := b.Logs("me", "app", time.Time{}, time.Time{}, 1)
	if err != nil || len(last) != 1 || last[0].Text != "ending" {
		t.Errorf("the last line is %v, %v", last, err)
	}
	for _, test := range []struct {
		from, until time.Time
		want        int
	}{
		{begin.Add(-time.Minute), begin.Add(time.Hour), len(lines)},
		{time.Time{}, begin.Add(-time.Minute), 0},
		{begin.Add(time.Hour), time.Time{}, 0},
	} {
		if got, err := b.Logs("me", "app", test.from, test.until, 100); err != nil || len(got) != test.want {
			t.Errorf("between %v and %v: %d lines, %v, want %d", test.from, test.until, len(got), err, test.want)
		}
	}
	for _, name := range []string{"unknown", "../drones", ""} {
		if got, err := b.Logs("me", name, time.Time{}, time.Time{}, 10); err != nil || len(got) != 0 {
			t.Errorf("the log of %q: %v, %v", name, got, err)
		}
	}
}

// 3 million lines and a line of 50 MB are read with little memory and disk space,
// and the app keeps running.
func TestLogFlood(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{})
	b.mustSwitch(b.app("app", "flood.js"))
	if got := b.get("app", "/flood"); got != "done\n" {
		t.Fatalf("got response %q", got)
	}
	if got := b.get("app", "/"); got != "serving\n" {
		t.Fatalf("got response %q", got)
	}
	if err := b.Halt(t.Context(), "me", "app"); err != nil {
		t.Fatal(err)
	}
	lines, err := b.Logs("me", "app", time.Time{}, time.Time{}, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	dropped := false
	for _, line := range lines {
		if len(line.Text) > 64<<10 || !utf8.ValidString(line.Text) {
			t.Errorf("a line of %d bytes", len(line.Text))
		}
		dropped = dropped || line.Stream == runner.Platform && strings.Contains(line.Text, "lines dropped, as they came too fast")
	}
	if !dropped {
		t.Errorf("%d lines, none reports dropped lines", len(lines))
	}
	b.bounded()
}

// A line of 1 GB of binary data is truncated.
func TestLogOfLongLine(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{})
	b.mustSwitch(b.app("app", "flood.js"))
	if got := b.get("app", "/line"); got != "done\n" {
		t.Fatalf("got response %q", got)
	}
	if err := b.Halt(t.Context(), "me", "app"); err != nil {
		t.Fatal(err)
	}
	lines, err := b.Logs("me", "app", time.Time{}, time.Time{}, 2)
	if err != nil || len(lines) != 2 || lines[1].Text != "last words" {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	if text := lines[0].Text; len(text) > 64<<10 || len(text) < 63<<10 || strings.Trim(text, "\ufffdx") != "" {
		t.Errorf("the line has %d bytes", len(text))
	}
	b.bounded()
}

// An app that writes endlessly still responds, as it never blocks on its log, and
// uses no more disk space than others.
func TestEndlessLogFlood(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{Grace: time.Second})
	b.mustSwitch(b.app("quiet", "serve.js"))
	b.mustSwitch(b.app("app", "flood.js"))
	if got := b.get("app", "/forever"); got != "begun\n" {
		t.Fatalf("got response %q", got)
	}
	for !strings.Contains(b.text("app"), "lines dropped, as they came too fast") {
		if got := b.get("app", "/"); got != "serving\n" {
			t.Fatalf("got response %q", got)
		}
		if got := b.get("quiet", "/"); got != "hello\n" {
			t.Fatalf("got response %q of the other app", got)
		}
	}
	if err := b.Halt(t.Context(), "me", "app"); err != nil {
		t.Fatal(err)
	}
	b.bounded()
}

// The last lines of an app are reported, even after a flood.
func TestLastLinesAfterFlood(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{})
	spec := b.app("app", "serve.js")
	spec.Start = `yes noise | head -n 800000; echo FATAL: no database >&2; echo bye; exit 3`
	err := b.Switch(t.Context(), spec)
	failed := core.AsError(err)
	if failed == nil || failed.Code != core.CodePlatformStartFailed {
		t.Fatalf("error %v, want code %s", err, core.CodePlatformStartFailed)
	}
	// The two streams are read independently, so either line may be the last.
	mention(t, failed.Reason+"\n"+failed.Detail+"\n", "exited with code 3", "FATAL: no database\n", "bye\n")
	mention(t, b.text("app"), "stderr: FATAL: no database\n", "stdout: bye\n", "lines dropped")
	if strings.Count(failed.Detail, "\n") > 50 {
		t.Errorf("%d last lines", strings.Count(failed.Detail, "\n"))
	}
}

// No secret of an app's environment appears in its log or in the error of its
// start.
func TestSecretsAreMasked(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{})
	spec := b.app("app", "serve.js")
	spec.Env = map[string]string{"DATABASE_URL": "postgres://app:canary-one@db/app", "API_KEY": "canary-two"}
	spec.Start = `printf 'opening %s with canary-' "$DATABASE_URL"; printf 'two\n'; env >&2; exit 1`
	err := b.Switch(t.Context(), spec)
	failed := core.AsError(err)
	if failed == nil || failed.Code != core.CodePlatformStartFailed {
		t.Fatalf("error %v, want code %s", err, core.CodePlatformStartFailed)
	}
	for name, text := range map[string]string{"log": b.text("app"), "failure": failed.Detail} {
		mention(t, text+"\n", "opening postgres://app:***@db/app with ***\n", "API_KEY=***\n")
		if strings.Contains(text, "canary") {
			t.Errorf("the %s contains a secret:\n%s", name, text)
		}
	}
}

// bounded checks the size of the logs on the disk.
func (b *fixture) bounded() {
	b.t.Helper()
	var size int64
	err := filepath.WalkDir(filepath.Join(b.dir, "drones", "logs"), func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		size += info.Size()
		return err
	})
	if err != nil || size > 55<<20 {
		b.t.Errorf("the logs have %d bytes, %v", size, err)
	}
}
