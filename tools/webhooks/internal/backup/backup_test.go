package backup_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/backup"
)

// Everything comes back: contents, modes, links, and databases as they were at the
// beginning.
func TestWriteAndRestore(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "restored")
	for _, folder := range []string{"platform/builds/app", "cache", "empty"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"a.db": "live a", "platform/b.db": "live b", "platform/builds/app/index.js": "code", "cache/x": "y", "key": "secret"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640); err != nil { //nolint:gosec // the mode is compared
			t.Fatal(err)
		}
	}
	if err := os.Link(filepath.Join(dir, "key"), filepath.Join(dir, "same")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../outside", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	open := 0
	database := func(text string) backup.Copier {
		return func(begin func(int64) (io.Writer, error)) error {
			open++
			w, err := begin(int64(len(text)))
			if err == nil && open != 2 {
				t.Errorf("a database was written when %d of 2 had begun", open)
			}
			if err == nil {
				_, err = io.WriteString(w, text)
			}
			return err
		}
	}
	var archive bytes.Buffer
	err := backup.Write(t.Context(), &archive, backup.Options{
		Dir: dir, Leave: []string{"cache"},
		Databases: map[string]backup.Copier{"a.db": database("copied a"), filepath.Join("platform", "b.db"): database("copied b")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := backup.Restore(t.Context(), bytes.NewReader(archive.Bytes()), to); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a.db": "copied a", "platform/b.db": "copied b", "platform/builds/app/index.js": "code", "same": "secret"} {
		if got, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
	if target, err := os.Readlink(filepath.Join(to, "link")); err != nil || target != "../outside" {
		t.Errorf("the link: got %q, %v", target, err)
	}
	if _, err := os.Stat(filepath.Join(to, "cache")); err == nil {
		t.Error("the cache was not left out")
	}
	for name, want := range map[string]os.FileMode{"key": 0o640, "empty": 0o750, "platform": 0o750, "a.db": 0o600} {
		if info, err := os.Stat(filepath.Join(to, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: got %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
	if err := backup.Restore(t.Context(), bytes.NewReader(archive.Bytes()), to); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("into a folder with files: got %v", err)
	}
	if err := backup.Restore(t.Context(), strings.NewReader("no archive"), filepath.Join(t.TempDir(), "x")); err == nil || !strings.Contains(err.Error(), "not a backup") {
		t.Errorf("of something else: got %v", err)
	}
}
