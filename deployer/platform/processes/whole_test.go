package processes_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/builds"
	"github.com/nodejitsu/webhooks/deployer/platform/processes"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// A snapshot that was built as the app's user, in a folder that no other user can
// access, runs as that user.
func TestBuiltSnapshotRuns(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{})
	var tgz bytes.Buffer
	zip := gzip.NewWriter(&tgz)
	archive := tar.NewWriter(zip)
	for name, text := range map[string]string{
		"package/package.json": `{"name":"app","scripts":{"start":"node lib/main","postinstall":"echo built > built.txt"}}`,
		"package/lib/main.js":  `require('http').createServer((q, s) => s.end(require('fs').readFileSync('built.txt'))).listen(process.env.PORT)`,
	} {
		if err := archive.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(text)), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(archive, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	as, err := b.Credential("me", "app")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(b.dir, "snapshot")
	builder := builds.New(builds.Options{Cache: filepath.Join(b.dir, "cache"), Mark: b.Mark})
	var out strings.Builder
	result, err := builder.Build(t.Context(), builds.Snapshot{Tgz: bytes.NewReader(tgz.Bytes()), Dir: dir, Credential: as}, &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	b.mustSwitch(runner.Version{User: "me", App: "app", Dir: dir, Node: result.Node, Start: result.Web})
	if got := b.get("app", "/"); got != "built\n" {
		t.Errorf("got response %q", got)
	}
}

func TestMemoryIsLimited(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{Memory: 400 << 20, Backoff: time.Millisecond})
	b.mustSwitch(b.app("app", "serve.js"))
	addr, done, _ := b.pick("app")
	defer done()
	if err := ask(t.Context(), addr, "/eat"); err == nil {
		t.Error("the app could allocate more than the limit")
	}
	got := b.await("app", func(s runner.State) bool { return s.Restarts == 1 && s.Phase == runner.Started })
	mention(t, got.Reason, "drone 1")
}

func TestStopDuringSwitch(t *testing.T) {
	t.Parallel()
	b := prepare(t, processes.Options{ReadyTimeout: time.Hour, Grace: time.Second})
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	spec := b.app("app", "deaf.js")
	spec.Start = "echo pid $$; exec node deaf.js"
	failed := make(chan error, 1)
	go func() { failed <- b.Switch(context.WithoutCancel(t.Context()), spec) }()
	pid := b.pid(1)
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("the switch ended with %v", err)
	}
	if alive(pid) {
		t.Errorf("pid %d is left", pid)
	}
}

func TestSwitchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{ReadyTimeout: time.Hour, Grace: time.Second})
	b.mustSwitch(b.app("app", "serve.js"))
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() { failed <- b.Switch(ctx, b.app("app", "deaf.js")) }()
	for !strings.Contains(b.text("app"), "I never listen") {
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("the switch ended with %v", err)
	}
	if got := b.get("app", "/"); got != "hello\n" {
		t.Errorf("got response %q", got)
	}
}
