package packages_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core/coretest/leftovers"
)

// patience is how long a script may take. Only one that hangs takes so long.
const patience = 15 * time.Minute

func TestMain(m *testing.M) { os.Exit(leftovers.Run(m)) }

// output returns what a program prints.
func output(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, &stderr)
	}
	return strings.TrimSpace(string(out))
}

// build builds the packages of a version.
func build(t *testing.T, dir, version string, kinds ...string) {
	t.Helper()
	output(t, "../..", "tools/package.sh", append([]string{version, dir}, kinds...)...)
}

// only returns the one file of a folder that matches.
func only(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: got %v, %v, want one file", pattern, found, err)
	}
	return found[0]
}

// inContainers runs a script that uses podman.sh, in mount, network and process
// namespaces of its own.
func inContainers(t *testing.T, script string, args ...string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("this test needs root, for containers")
	}
	store := output(t, "../..", "tools/images.sh")
	work := t.TempDir()
	group := "webhooks-test-" + filepath.Base(filepath.Dir(work))
	t.Cleanup(func() { removeGroup(t, group) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", append([]string{"--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", //nolint:gosec // our own script
		"sh", script, work, store, "/" + group}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.HasSuffix(string(out), "\nok: all\n") {
		t.Errorf("it did not reach its end:\n%s", out)
	}
	t.Logf("%s", out)
}

// removeGroup removes the control group of containers that have ended.
func removeGroup(t *testing.T, group string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "unshare", "--mount", "sh", "-c", //nolint:gosec // our own script
		`mount -t cgroup2 cgroup2 /sys/fs/cgroup && cd /sys/fs/cgroup && if test -d "$1"; then find "$1" -depth -type d -exec rmdir {} +; fi`, "sh", group)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("removing the control group %s: %v\n%s", group, err, out)
	}
}

// The packages install on a Debian with systemd, by dpkg and by rpm, the service runs
// as its units say, restarts and upgrades lose no request and end no app, and a removal
// keeps the data and nothing else.
func TestInstallUpgradeRemove(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	build(t, dir, "1.0.0", "deb", "rpm")
	build(t, dir, "2.0.0", "deb", "rpm")
	if sums := output(t, dir, "sha256sum", "--check", "webhooks_1.0.0_checksums.txt"); strings.Count(sums, ": OK") != 2 {
		t.Errorf("the checksums: %s", sums)
	}
	for kind, names := range map[string][2]string{
		"deb": {"webhooks_1.0.0_*.deb", "webhooks_2.0.0_*.deb"}, "rpm": {"webhooks-1.0.0-1.*.rpm", "webhooks-2.0.0-1.*.rpm"},
	} {
		first, second := only(t, dir, names[0]), only(t, dir, names[1])
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			inContainers(t, "systemd.sh", kind, first, second)
		})
	}
}

// The container image is built, runs, and keeps its data in its volume.
func TestImage(t *testing.T) {
	t.Parallel()
	source := t.TempDir()
	copySource(t, source)
	inContainers(t, "image.sh", source, output(t, "../..", "go", "env", "GOROOT"), output(t, "../..", "go", "env", "GOMODCACHE"), output(t, "../..", "go", "env", "GOCACHE"))
}

// copySource copies the files of the repository, as a clone has them, with the
// changes that are not committed yet.
func copySource(t *testing.T, to string) {
	t.Helper()
	files := output(t, "../..", "git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	for name := range strings.SplitSeq(strings.TrimRight(files, "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if errors.Is(err, os.ErrNotExist) {
			continue // removed, but not yet from the index
		}
		path := filepath.Join(to, name)
		if err := errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, text, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}
