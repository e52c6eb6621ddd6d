package cli_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/cli"
)

// terminal returns a terminal, and what is written to it.
func terminal(t *testing.T) (tty *os.File, written *bufio.Reader) {
	t.Helper()
	control, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = control.Close() })
	number, err := unix.IoctlGetInt(int(control.Fd()), unix.TIOCGPTN) //nolint:gosec // a descriptor is small
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(control.Fd()), unix.TIOCSPTLCK, 0); err != nil { //nolint:gosec // a descriptor is small
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	return tty, bufio.NewReader(control)
}

// States have colors on a terminal, unless its user wants none, and nowhere else.
func TestColors(t *testing.T) {
	t.Parallel()
	args := []string{"doctor", "--data", t.TempDir(), "--platform-url", "http://127.0.0.1:1", "--platform-key-file", "key", "--github-url", "http://127.0.0.1:1"}
	_, plain, _ := run(t, "", args...)
	if !strings.HasPrefix(plain, "OK      disk") || !strings.Contains(plain, "\nFAILED  github") || strings.Contains(plain, "\x1b") {
		t.Errorf("no terminal: got %q", plain)
	}
	for environ, want := range map[string][2]string{
		"TERM=xterm":            {"\x1b[32mOK\x1b[0m      disk", "\x1b[31mFAILED\x1b[0m  github"},
		"TERM=xterm NO_COLOR=1": {"OK      disk", "FAILED  github"},
		"TERM=dumb":             {"OK      disk", "FAILED  github"},
	} {
		tty, written := terminal(t)
		if code := cli.Run(t.Context(), cli.IO{Args: args, Environ: strings.Fields(environ), Stdin: strings.NewReader(""), Stdout: tty, Stderr: tty}, "v1.2.3"); code != 1 {
			t.Errorf("%s: code %d", environ, code)
		}
		var lines []string
		for !strings.Contains(strings.Join(lines, ""), "github") {
			line, err := written.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, line)
		}
		if !strings.HasPrefix(lines[0], want[0]) || !strings.HasPrefix(lines[len(lines)-1], want[1]) {
			t.Errorf("%s: got %q", environ, lines)
		}
	}
}
