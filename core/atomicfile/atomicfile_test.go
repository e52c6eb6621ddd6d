package atomicfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core/atomicfile"
)

// names returns the names in a folder.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func TestWrite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	for _, content := range []string{"a long first content", "short", ""} {
		if err := atomicfile.Write(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path) //nolint:gosec // the test's own
		if err != nil || string(got) != content {
			t.Errorf("got %q, %v, want %q", got, err, content)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
	if got := names(t, filepath.Dir(path)); got != "file" {
		t.Errorf("the folder has %s", got)
	}
}

// A write that fails does not change the file and leaves no other file.
func TestFailedWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.MkdirAll(filepath.Join(path, "x"), 0o700); err != nil { // a folder can't be replaced
		t.Fatal(err)
	}
	if err := atomicfile.Write(path, []byte("text"), 0o600); err == nil {
		t.Error("a folder was replaced")
	}
	if got := names(t, dir); got != "file" {
		t.Errorf("the folder has %s", got)
	}
	if err := atomicfile.Write(filepath.Join(dir, "none", "file"), nil, 0o600); err == nil {
		t.Error("a file was written into a missing folder")
	}
}

func TestRename(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	if err := atomicfile.Write(from, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Rename(from, to); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); got != "to" {
		t.Errorf("the folder has %s", got)
	}
	if err := atomicfile.Rename(from, to); err == nil {
		t.Error("a missing file was renamed")
	}
}
