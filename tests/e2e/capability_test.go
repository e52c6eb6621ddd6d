package e2e

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A server that is root needs the capability to see on which ports the apps listen. A
// container does not have it by default: without it the server says so instead of
// starting.
func TestWithoutCapability(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		return // it starts: the apps have its own user
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace", //nolint:gosec // of this test
		program, "serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--platform-listen", "127.0.0.1:0").CombinedOutput()
	if err == nil || ctx.Err() != nil || !strings.Contains(string(out), "--cap-add SYS_PTRACE") {
		t.Errorf("got %v, %s", err, out)
	}
}
