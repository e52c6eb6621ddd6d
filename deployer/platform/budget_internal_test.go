package platform

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeTrimmer removes a file if it is asked to.
type fakeTrimmer struct {
	remove string
	wanted []int64
}

func (f *fakeTrimmer) Trim(_ context.Context, want int64) (int64, error) {
	f.wanted = append(f.wanted, want)
	if f.remove == "" {
		return 0, nil
	}
	return want, os.Remove(f.remove)
}

// Before the budget is used, space is freed; if that does not help, it is warned of
// once.
func TestBudget(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	dir := t.TempDir()
	write := func(name string, size int) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, bytes.Repeat([]byte("x"), size), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var log bytes.Buffer
	apps := &fakeTrimmer{}
	b := &budget{limit: 10 * mib, dirs: []string{dir, filepath.Join(dir, "missing")}, apps: apps, log: slog.New(slog.NewTextHandler(&log, nil))}
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
	b.look(t.Context())
	b.look(t.Context())
	if !strings.Contains(b.warning(), "of the disk budget of 10 MiB") || strings.Count(log.String(), "level=WARN") != 1 {
		t.Errorf("nothing to remove: %q, log %s", b.warning(), &log)
	}
	b.limit = 100 * mib
	b.look(t.Context())
	if b.warning() != "" {
		t.Errorf("with a larger budget: %q", b.warning())
	}
}
