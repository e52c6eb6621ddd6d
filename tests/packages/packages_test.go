package packages_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// build builds the packages of a version.
func build(t *testing.T, dir, version string, kinds ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "../../tools/package.sh", append([]string{version, dir}, kinds...)...) //nolint:gosec // our own script
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", version, err, out)
	}
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

// The packages install, the service works within the limits of its unit, an upgrade
// keeps settings and apps, and a removal keeps the data.
func TestInstallUpgradeRemove(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Fatal("this test needs root: packages are installed below a temporary layer of the file system")
	}
	dir := t.TempDir()
	build(t, dir, "1.0.0", "deb", "rpm")
	build(t, dir, "2.0.0", "deb")
	rpm, err := os.ReadFile(only(t, dir, "webhooks-1.0.0-1.*.rpm"))
	if err != nil || !bytes.HasPrefix(rpm, []byte{0xed, 0xab, 0xee, 0xdb}) { // the magic number of rpm
		t.Errorf("the rpm package: %v", err)
	}
	unit, err := filepath.Abs("../../tools/package/webhooks.service")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", //nolint:gosec // our own script
		"sh", "install.sh", only(t, dir, "webhooks_1.0.0_*.deb"), only(t, dir, "webhooks_2.0.0_*.deb"), unit, t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "\nok: the settings are gone\n") { // the last check
		t.Errorf("it did not reach its end:\n%s", out)
	}
}

// The unit is one that systemd understands.
func TestUnit(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../tools/package/webhooks.service")
	if err != nil {
		t.Fatal(err)
	}
	// The program is not installed here, and verify would look for it.
	unit := filepath.Join(t.TempDir(), "webhooks.service")
	there := strings.NewReplacer("/usr/bin/webhooks", "/bin/sh", "man:webhooks(1) ", "").Replace(string(text))
	if err := os.WriteFile(unit, []byte(there), 0o600); err != nil {
		t.Fatal(err)
	}
	socket, err := os.ReadFile("../../tools/package/webhooks.socket")
	if err != nil {
		t.Fatal(err)
	}
	socketUnit := filepath.Join(filepath.Dir(unit), "webhooks.socket")
	if err := os.WriteFile(socketUnit, bytes.ReplaceAll(socket, []byte("man:webhooks(1) "), nil), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", unit, socketUnit).CombinedOutput() //nolint:gosec // our own units
	// systemd before 254.
	out = regexp.MustCompile(`(?m)^.*Unknown key.* 'DelegateSubgroup' in section .Service., ignoring\.\n`).ReplaceAll(out, nil)
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
