package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/adapters/bolt"
)

// What keeps a stopped server's databases does so with both, and with none
// that a server has open.
func TestAdmin(t *testing.T) {
	t.Parallel()
	data, archive, restored := t.TempDir(), filepath.Join(t.TempDir(), "today.tar.gz"), filepath.Join(t.TempDir(), "restored")
	if code, _, stderr := run(t, "", "admin", "check", "--data", data); code != 1 || !strings.Contains(stderr, "no database in "+data) {
		t.Errorf("without any: code %d and %q", code, stderr)
	}
	var paths []string
	for _, name := range []string{"webhooks.db", "platform/platform.db"} {
		path := filepath.Join(data, name)
		store := bolt.New(bolt.Options{Path: path})
		if err := store.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if code, stdout, stderr := run(t, "", "admin", "compact", "--data", data); code != 1 || !strings.Contains(stderr, path+" is in use by another process") {
			t.Errorf("of one in use: code %d, %q and %q", code, stdout, stderr)
		}
		if err := store.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	for _, test := range []struct {
		args []string
		says string // of each
	}{
		{[]string{"check"}, "no damage"},
		{[]string{"compact"}, " now"},
		{[]string{"check"}, "no damage"},
	} {
		code, stdout, stderr := run(t, "", append(append([]string{"admin"}, test.args...), "--data", data)...)
		if code != 0 || strings.Count(stdout, test.says) != 2 {
			t.Errorf("%v: got code %d, %q and %q", test.args, code, stdout, stderr)
		}
	}
	if code, stdout, stderr := run(t, "", "admin", "backup", archive, "--data", data); code != 0 || !strings.Contains(stdout, "written to "+archive) {
		t.Errorf("a backup: code %d, %q and %q", code, stdout, stderr)
	}
	if code, _, stderr := run(t, "", "admin", "backup", archive, "--data", data); code != 1 || !strings.Contains(stderr, "exists already") {
		t.Errorf("onto the backup: code %d and %q", code, stderr)
	}
	if code, stdout, stderr := run(t, "", "admin", "restore", archive, "--data", restored); code != 0 || !strings.Contains(stdout, "restored to "+restored) {
		t.Errorf("a restore: code %d, %q and %q", code, stdout, stderr)
	}
	if code, stdout, stderr := run(t, "", "admin", "check", "--data", restored); code != 0 || strings.Count(stdout, "no damage") != 2 {
		t.Errorf("of what was restored: code %d, %q and %q", code, stdout, stderr)
	}
	if code, _, stderr := run(t, "", "admin", "restore", archive, "--data", restored); code != 1 || !strings.Contains(stderr, "is not empty") {
		t.Errorf("onto what was restored: code %d and %q", code, stderr)
	}
	if err := os.WriteFile(paths[0], []byte(strings.Repeat("no database", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := run(t, "", "admin", "check", "--data", data); code != 1 || !strings.Contains(stderr, paths[0]) || !strings.Contains(stdout, paths[1]) {
		t.Errorf("of a damaged one: code %d, %q and %q", code, stdout, stderr)
	}
}
