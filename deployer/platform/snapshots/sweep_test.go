package snapshots_test

import (
	"os"
	"path/filepath"
	"testing"
)

func TestPrepareRemovesWhatWasReceived(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put("me", "app", "1", "x=1")
	b.receive("never built")
	if err := os.Chmod(b.builds, 0o700); err != nil { //nolint:gosec // as a strict umask makes it
		t.Fatal(err)
	}
	if err := b.Prepare(); err != nil {
		t.Fatal(err)
	}
	b.holds(b.archives, ".incoming", "me/app/1.tgz")
	b.holds(b.builds, "me/app/1/x")
	if info, err := os.Stat(b.builds); err != nil || info.Mode().Perm() != 0o711 {
		t.Errorf("mode %v, %v", info.Mode().Perm(), err)
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	b := setup(t)
	known := map[string]bool{}
	for _, s := range [][3]string{{"me", "app", "1.0.0"}, {"me", "app", "old.tgz-1"}, {"me", "both", "1"}, {"you", "app", "1"}} {
		b.put(s[0], s[1], s[2], "x=1")
		known[s[0]+"/"+s[1]+"/"+s[2]] = true
	}
	// Of a server that was killed: between the build and the archive, the archive
	// and the database, in removing an app, in making dependencies.
	b.write(b.builds, "me/app/half/x")
	b.put("me", "app", "unknown", "x=1")
	b.put("gone", "app", "1", "x=1")
	b.write(b.builds, "gone/app/.home/cache")
	b.write(b.builds, "gone/app/.dependencies/next-1/x")
	b.write(b.builds, "me/none/.home/cache")
	b.write(b.builds, "me/app/.home/cache")
	b.write(b.builds, "me/app/.dependencies/next-1/x")
	b.write(b.builds, "me/app/.dependencies/old-1/x")
	b.write(b.builds, "me/app", tree("a"), "uses/1.0.0")
	b.write(b.builds, "me/app", tree("b"), "uses/half")
	// What is nobody's.
	b.write(b.archives, "me/app/1.0.0") // not the archive's name
	b.write(b.archives, "me/stray")
	b.write(b.builds, "stray")
	outside := filepath.Join(t.TempDir(), "precious")
	b.write(outside, "app", "1")
	if err := os.Symlink(filepath.Join(outside, "app"), filepath.Join(b.builds, "me", "link")); err != nil {
		t.Fatal(err)
	}
	b.receive("that is being received stays")

	incoming := files(t, filepath.Join(b.archives, ".incoming"))
	if len(incoming) != 1 {
		t.Fatalf("incoming %v", incoming)
	}
	err := b.Sweep(
		func(user, app, id string) bool { return known[user+"/"+app+"/"+id] },
		func(node string) bool { return node == "node 2" })
	if err != nil {
		t.Fatal(err)
	}
	if got := b.builder.unused; len(got) != 1 || got[0] != "node 1" {
		t.Errorf("not used are %q", got)
	}
	b.holds(b.archives, ".incoming/"+incoming[0],
		"me/app/1.0.0.tgz", "me/app/old.tgz-1.tgz", "me/both/1.tgz", "you/app/1.tgz")
	b.holds(b.builds, "me/app/.home/cache", "me/app/"+tree("a")+"/uses/1.0.0",
		"me/app/1.0.0/x", "me/app/old.tgz-1/x", "me/both/1/x", "you/app/1/x")
	if err := b.Sweep(func(string, string, string) bool { return false }, func(string) bool { return false }); err != nil {
		t.Fatal(err)
	}
	b.holds(b.archives, ".incoming/"+incoming[0])
	b.holds(b.builds, ".")
}

func TestSweepOfNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := os.RemoveAll(b.builds); err != nil {
		t.Fatal(err)
	}
	if err := b.Sweep(func(string, string, string) bool { return true }, func(string) bool { return true }); err != nil {
		t.Error(err)
	}
}
