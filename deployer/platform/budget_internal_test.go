package platform

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fakeTrimmer removes a file if it is asked to.
type fakeTrimmer struct {
	remove  string
	skipped bool
	wanted  []int64
}

func (f *fakeTrimmer) Trim(_ context.Context, want int64) (freed int64, skipped bool, err error) {
	f.wanted = append(f.wanted, want)
	if f.remove == "" {
		return 0, f.skipped, nil
	}
	return want, f.skipped, os.Remove(f.remove)
}

// Before the budget is used, space is freed; if that does not help, it is warned of
// once.
func TestBudget(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "builds"), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name string, size int) string {
		path := filepath.Join(dir, "builds", name)
		if err := os.WriteFile(path, bytes.Repeat([]byte("x"), size), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var log bytes.Buffer
	apps := &fakeTrimmer{}
	b := &budget{limit: 10 * mib, dir: dir, apps: apps, log: slog.New(slog.NewTextHandler(&log, nil))}
	write("needed", 8*mib)
	b.look(t.Context())
	if len(apps.wanted) > 0 || b.warning() != "" || b.used.Load() < 8*mib {
		t.Errorf("with room: trimmed %v, %q, used %d", apps.wanted, b.warning(), b.used.Load())
	}
	apps.remove = write("old", 3*mib)
	b.look(t.Context())
	if len(apps.wanted) != 1 || apps.wanted[0] < 3*mib || b.warning() != "" {
		t.Errorf("nearly full: trimmed %v, %q", apps.wanted, b.warning())
	}
	apps.remove = ""
	write("needed too", 2*mib)
	apps.skipped = true
	if !b.look(t.Context()) || b.warning() != "" {
		t.Errorf("apps were skipped: it is not tried again, or %q", b.warning())
	}
	apps.skipped = false
	for range 2 {
		if b.look(t.Context()) {
			t.Error("it is tried again without need")
		}
	}
	if !strings.Contains(b.warning(), "of the disk budget of 10 MiB") || strings.Count(log.String(), "level=WARN") != 1 {
		t.Errorf("nothing to remove: %q, log %s", b.warning(), &log)
	}
	b.limit = 100 * mib
	b.look(t.Context())
	if b.warning() != "" {
		t.Errorf("with a larger budget: %q", b.warning())
	}
}

// trims counts calls of Trim.
type trims chan int64

func (c trims) Trim(ctx context.Context, want int64) (freed int64, skipped bool, err error) {
	select {
	case c <- want:
	case <-ctx.Done():
	}
	return 0, false, nil
}

// After a build the usage is measured at once.
func TestBudgetAfterBuild(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir, built, trimmed := t.TempDir(), make(chan struct{}, 1), make(trims)
		b := watchBudget(1<<20, dir, built, trimmed, slog.New(slog.DiscardHandler))
		defer b.stop()
		synctest.Wait()
		file := filepath.Join(dir, "archives")
		if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		built <- struct{}{}
		<-trimmed
		if d := time.Since(begin); d >= measureEvery {
			t.Errorf("it was measured %s after the build", d)
		}
		begin = time.Now()
		<-trimmed
		if d := time.Since(begin); d < measureEvery {
			t.Errorf("without a build it was measured after %s", d)
		}
	})
}
