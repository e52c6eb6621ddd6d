package platform_test

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform"
)

// logged is a log that is safe for concurrent use.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// fill fills the disk of dir, and returns a function that frees it.
func (b *fixture) fill(dir string) (empty func()) {
	b.t.Helper()
	path := filepath.Join(dir, "filler")
	file, err := os.Create(path) //nolint:gosec // the test's own
	b.ok(err)
	_, err = io.Copy(file, zeros{})
	if err == nil || !strings.Contains(err.Error(), "no space left") {
		b.t.Fatalf("filling the disk: %v", err)
	}
	b.ok(file.Close())
	return func() {
		b.t.Helper()
		b.ok(os.Remove(path))
	}
}

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// mounted mounts a disk of a size, which only root can.
func mounted(t *testing.T, size string) (disk string) {
	t.Helper()
	disk = t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "mode=711,size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A process that has just ended may have a file open a moment longer.
		limit, again := time.After(time.Minute), time.NewTicker(10*time.Millisecond)
		defer again.Stop()
		for {
			err := unix.Unmount(disk, 0)
			if err == nil {
				return
			}
			select {
			case <-again.C:
			case <-limit:
				t.Fatal(err)
			}
		}
	})
	if err := os.Chmod(filepath.Dir(disk), 0o711); err != nil { //nolint:gosec // the apps' users search it
		t.Fatal(err)
	}
	return disk
}

// A first start on a full disk says what to do, and after that was done the next
// start works, whatever had been written.
func TestFirstStartOnAFullDisk(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		return // only root can mount a disk to fill
	}
	for _, size := range []string{"4k", "8k", "12k", "16k", "20k"} {
		t.Run(size, func(t *testing.T) {
			t.Parallel()
			disk := mounted(t, size)
			b := prepare(t, platform.Options{Dir: filepath.Join(disk, "data")})
			if err := b.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "no space left on device") || !strings.Contains(err.Error(), "free space on the disk of "+b.o.Dir) {
				t.Fatalf("the start with a full disk: %v", err)
			}
			if err := unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT, "mode=711,size=64m"); err != nil {
				t.Fatal(err)
			}
			again := prepare(t, b.o)
			again.start()
			again.user("me")
			again.stop()
		})
	}
}

// A platform whose disk is full starts, runs and stops, and serves requests and
// reads. Writes are refused until there is space.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		return // only root can mount a disk to fill
	}
	disk := mounted(t, "64m")
	log := &logged{}
	b := prepare(t, platform.Options{Dir: filepath.Join(disk, "data"), Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	me := b.user("me")
	for _, name := range []string{"app", "other"} {
		b.app(me, "me", name, map[string]any{"name": name})
		b.upload(me, "me", name, "v1", hello(t, name))
		b.run(me, "me", name, "v1")
	}
	b.stop()
	empty := b.fill(disk)

	again := prepare(t, b.o)
	again.start()
	me = again.as("me", core.NewSecret("password"))
	const full, room = "disk full: apps run and are reached", "disk has room again"
	if err := again.Check(t.Context()); core.CodeOf(err) != core.CodePlatformNoSpace {
		t.Errorf("Check with a full disk: %v", err)
	}
	for _, name := range []string{"app", "other"} {
		again.eventually(name+" answers", func() bool {
			_, body := again.get(name)
			return body == name
		})
	}
	if app, err := me.App(t.Context(), "me", "app"); err != nil || app.State != "started" {
		t.Errorf("the app is %+v, %v", app, err)
	}
	if _, err := me.Logs(t.Context(), "me", "app", 10); err != nil {
		t.Errorf("its log: %v", err)
	}
	if err := me.StopApp(t.Context(), "me", "other"); err != nil {
		t.Errorf("stopping the other app: %v", err)
	}
	refused := func(what string, err error) {
		t.Helper()
		if _, passing := core.Retryable(err); !passing || !strings.Contains(err.Error(), "disk") {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("an upload", me.UploadSnapshot(t.Context(), "me", "app", "v2", "", bytes.NewReader(hello(t, strings.Repeat("two", 1000))), io.Discard))
	big := map[string]any{"env": map[string]string{"A": strings.Repeat("x", 60_000)}}
	refused("a change", me.UpdateApp(t.Context(), "me", "app", big))
	again.answers("app", "app")
	if n := log.count(full); n != 1 {
		t.Errorf("the log reports the full disk %d times", n)
	}

	empty()
	again.eventually("there is room", func() bool { return again.Check(t.Context()) == nil })
	if log.count(room) != 1 {
		t.Error("the log does not report the free space")
	}
	again.ok(me.UpdateApp(t.Context(), "me", "app", big))
	again.upload(me, "me", "app", "v2", hello(t, "two"))
	again.run(me, "me", "app", "v2")
	again.answers("app", "two")
	again.stop()
}
