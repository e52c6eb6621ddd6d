package processes_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/processes"
)

// The error names the port that an app listens on instead of its own.
func TestAppListensElsewhere(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{ReadyTimeout: impatience, Grace: time.Second})
	free, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // of a TCP listener
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	spec := b.app("app", "serve.js")
	text := fmt.Sprintf("require('http').createServer((q, r) => r.end()).listen(%d)", port)
	if err := os.WriteFile(filepath.Join(spec.Dir, "fixed.js"), []byte(text), 0o644); err != nil { //nolint:gosec // apps read it
		t.Fatal(err)
	}
	spec.Start = "node fixed.js"
	failed := core.AsError(b.Switch(t.Context(), spec))
	if failed == nil || failed.Code != core.CodePlatformStartFailed {
		t.Fatalf("error %v, want code %s", failed, core.CodePlatformStartFailed)
	}
	mention(t, failed.Reason, fmt.Sprintf("drone 1 listens on port %d instead of $PORT (", port))
}

// The error of a start command that is for development says so.
func TestDevelopmentServer(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{ReadyTimeout: impatience, Grace: time.Second})
	spec := b.app("app", "serve.js")
	spec.Start = "vite --open --mode ssr" // which was pruned
	failed := core.AsError(b.Switch(t.Context(), spec))
	if failed == nil || failed.Code != core.CodePlatformStartFailed {
		t.Fatalf("error %v, want code %s", failed, core.CodePlatformStartFailed)
	}
	mention(t, failed.Reason, "exited with code 127")
	mention(t, failed.Reason, "its start command runs vite, which is for development")
}
