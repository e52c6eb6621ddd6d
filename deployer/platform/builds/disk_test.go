package builds_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/builds"
)

func TestBuildEndsScriptsThatFillDisk(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"own folder": ".", "temporary": "$TMPDIR", "home": "$HOME"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, builds.Options{MaxDisk: 8 << 20, DiskInterval: 10 * time.Millisecond})
			// It prints its process id and runs until it is killed.
			script := fmt.Sprintf(`trap '' TERM; echo PID $$; i=0; while :; do i=$((i+1)); head -c 1000000 /dev/zero > "%s/big$((i%%30))"; done`, dir)
			tgz := app(t, fmt.Sprintf(`{"name":"a","scripts":{"postinstall":%q}}`, script), ".npmrc", "foreground-scripts=true\n")
			watch := &watcher{found: make(chan string, 1), mark: "PID "}
			_, err := b.Build(t.Context(), builds.Snapshot{Tgz: bytes.NewReader(tgz), Dir: b.dir, Credential: b.as}, watch)
			reason, ok := blamed(err)
			if !ok {
				t.Fatalf("error %v", err)
			}
			mention(t, reason, "wrote more than 8 MiB to the disk")
			pid, err := strconv.Atoi(strings.TrimSpace(<-watch.found))
			if err != nil {
				t.Fatal(err)
			}
			if syscall.Kill(pid, 0) == nil {
				t.Errorf("pid %d is left", pid)
			}
			if _, err := os.Stat(b.dir); !os.IsNotExist(err) {
				t.Errorf("the folder is left: %v", err)
			}
			if left, err := os.ReadDir(filepath.Join(b.cache, "tmp")); err != nil || len(left) > 0 {
				t.Errorf("temporary folders are left: %v, %v", left, err)
			}
		})
	}
}

// Files that are written between two checks are counted, and so are empty files.
func TestBuildMeasuresDiskAtEnd(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, script string
		fails        bool
	}{
		{"less", "head -c 3000000 /dev/zero > x; ln x y; ln x z", false},
		{"more", "head -c 9000000 /dev/zero > x", true},
		{"files without content", "seq 3000 | xargs touch", true},
		{"unreadable", "mkdir x && chmod 000 x", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, builds.Options{MaxDisk: 8 << 20, DiskInterval: time.Hour})
			tgz := app(t, fmt.Sprintf(`{"name":"a","scripts":{"postinstall":%q}}`, test.script))
			if !test.fails {
				b.mustBuild(tgz)
				return
			}
			mention(t, b.failure(tgz), "8 MiB")
		})
	}
	t.Run("too deep to be measured", func(t *testing.T) {
		t.Parallel()
		b := setup(t, builds.Options{})
		name := strings.Repeat("d", 200)
		script := "for i in $(seq 30); do mkdir " + name + " && cd " + name + "; done"
		mention(t, b.failure(app(t, fmt.Sprintf(`{"name":"a","scripts":{"postinstall":%q}}`, script))), "nested deeper")
	})
}

// One app that nests folders too deep does not keep the others from being measured.
func TestDiskUsageOfDeepFolders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a", "z"} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.Repeat("d", 200)
	for range 30 {
		if err := at.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
		next, err := at.OpenRoot(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := at.Close(); err != nil {
			t.Fatal(err)
		}
		at = next
	}
	if err := at.Close(); err != nil {
		t.Fatal(err)
	}
	if used, err := builds.DiskUsage(t.Context(), dir); err != nil || used < 2<<20 {
		t.Errorf("got %d bytes, %v", used, err)
	}
}

// Several builds together can't exceed the limit either.
func TestBuildClearsFullHome(t *testing.T) {
	t.Parallel()
	b := setup(t, builds.Options{MaxDisk: 8 << 20})
	b.failure(app(t, `{"name":"a","scripts":{"postinstall":"head -c 9000000 /dev/zero > $HOME/big"}}`))
	b.mustBuild(app(t, `{"name":"a","scripts":{"postinstall":"test ! -e $HOME/big && touch $HOME/small"}}`))
	b.dir += "-next"
	b.mustBuild(app(t, `{"name":"a","scripts":{"postinstall":"test -e $HOME/small"}}`))
}

// The home of an app that was destroyed is not used by an app with the same uid.
func TestBuildRemovesHomeOfOtherUser(t *testing.T) {
	t.Parallel()
	b := setup(t, builds.Options{})
	b.home = filepath.Join(filepath.Dir(b.dir), "home")
	b.mustBuild(app(t, `{"name":"a","scripts":{"postinstall":"touch $HOME/planted"}}`))
	planted := filepath.Join(b.home, "planted")
	if _, err := os.Stat(planted); err != nil {
		t.Fatal(err)
	}
	if b.as == nil {
		return // there are no other users
	}
	b.dir += "-next"
	other := b.as.Uid + 1
	b.as = &syscall.Credential{Uid: other, Gid: other, Groups: []uint32{}}
	b.mustBuild(app(t, `{"name":"a","scripts":{"postinstall":"test ! -e $HOME/planted && touch $HOME/mine"}}`))
	if _, err := os.Stat(filepath.Join(b.home, "mine")); err != nil {
		t.Error(err)
	}
}
