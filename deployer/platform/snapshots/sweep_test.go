package snapshots_test

import (
	"os"
	"path/filepath"
	"testing"
)

func TestPrepareRemovesIncoming(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.put("me", "app", "1", "x=1")
	f.receive("never built")
	if err := os.Chmod(f.builds, 0o700); err != nil { //nolint:gosec // as with a strict umask
		t.Fatal(err)
	}
	if err := f.Prepare(); err != nil {
		t.Fatal(err)
	}
	f.holds(f.archives, ".incoming", "me/app/1.tgz")
	f.holds(f.builds, "me/app/1/x")
	if info, err := os.Stat(f.builds); err != nil || info.Mode().Perm() != 0o711 {
		t.Errorf("mode %v, %v", info.Mode().Perm(), err)
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	f := setup(t)
	known := map[string]bool{}
	for _, s := range [][3]string{{"me", "app", "1.0.0"}, {"me", "app", "old.tgz-1"}, {"me", "both", "1"}, {"you", "app", "1"}} {
		f.put(s[0], s[1], s[2], "x=1")
		known[s[0]+"/"+s[1]+"/"+s[2]] = true
	}
	// Left by a server that was killed: after the build and before the archive was
	// stored, after the archive and before the database, while removing an app,
	// while creating dependencies.
	f.write(f.builds, "me/app/half/x")
	f.put("me", "app", "unknown", "x=1")
	f.put("gone", "app", "1", "x=1")
	f.write(f.builds, "gone/app/.home/cache")
	f.write(f.builds, "gone/app/.dependencies/next-1/x")
	f.write(f.builds, "me/none/.home/cache")
	f.write(f.builds, "me/app/.home/cache")
	f.write(f.builds, "me/app/.dependencies/next-1/x")
	f.write(f.builds, "me/app/.dependencies/old-1/x")
	f.write(f.builds, "me/app", tree("a"), "uses/1.0.0")
	f.write(f.builds, "me/app", tree("b"), "uses/half")
	// Files that belong to no snapshot.
	f.write(f.archives, "me/app/1.0.0") // not the name of an archive
	f.write(f.archives, "me/stray")
	f.write(f.builds, "stray")
	outside := filepath.Join(t.TempDir(), "precious")
	f.write(outside, "app", "1")
	if err := os.Symlink(filepath.Join(outside, "app"), filepath.Join(f.builds, "me", "link")); err != nil {
		t.Fatal(err)
	}
	f.receive("being received")

	incoming := files(t, filepath.Join(f.archives, ".incoming"))
	if len(incoming) != 1 {
		t.Fatalf("incoming %v", incoming)
	}
	err := f.Sweep(
		func(user, app, id string) bool { return known[user+"/"+app+"/"+id] },
		[]string{"node 2"})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.builder.used; len(got) != 1 || got[0] != "node 2" {
		t.Errorf("got %q as used, want node 2", got)
	}
	f.holds(f.archives, ".incoming/"+incoming[0],
		"me/app/1.0.0.tgz", "me/app/old.tgz-1.tgz", "me/both/1.tgz", "you/app/1.tgz")
	f.holds(f.builds, "me/app/.home/cache", "me/app/"+tree("a")+"/uses/1.0.0",
		"me/app/1.0.0/x", "me/app/old.tgz-1/x", "me/both/1/x", "you/app/1/x")
	if err := f.Sweep(func(string, string, string) bool { return false }, nil); err != nil {
		t.Fatal(err)
	}
	f.holds(f.archives, ".incoming/"+incoming[0])
	f.holds(f.builds, ".")
}

func TestSweepWithoutFolders(t *testing.T) {
	t.Parallel()
	f := setup(t)
	if err := os.RemoveAll(f.builds); err != nil {
		t.Fatal(err)
	}
	if err := f.Sweep(func(string, string, string) bool { return true }, nil); err != nil {
		t.Error(err)
	}
}
