package processes_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/processes"
)

// The error names the port that an app listens on instead of its own.
func TestAppListensElsewhere(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{ReadyTimeout: impatience, Grace: time.Second})
	spec := b.app("app", "serve.js")
	const text = "const s = require('http').createServer((q, r) => r.end()).listen(0, () => console.log('elsewhere', s.address().port))"
	if err := os.WriteFile(filepath.Join(spec.Dir, "elsewhere.js"), []byte(text), 0o644); err != nil { //nolint:gosec // apps read it
		t.Fatal(err)
	}
	spec.Start = "node elsewhere.js"
	failed := core.AsError(b.Switch(t.Context(), spec))
	if failed == nil || failed.Code != core.CodePlatformStartFailed {
		t.Fatalf("error %v, want code %s", failed, core.CodePlatformStartFailed)
	}
	_, rest, _ := strings.Cut(failed.Detail, "elsewhere ")
	port, _, _ := strings.Cut(rest, "\n")
	mention(t, failed.Reason, fmt.Sprintf("drone 1 listens on port %d instead of $PORT (", atoi(t, port)))
}

// The error of a start command that is for development says so.
func TestDevelopmentServer(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{})
	spec := b.app("app", "serve.js")
	spec.Start = "vite --open --mode ssr" // which was pruned
	failed := core.AsError(b.Switch(t.Context(), spec))
	if failed == nil || failed.Code != core.CodePlatformStartFailed {
		t.Fatalf("error %v, want code %s", failed, core.CodePlatformStartFailed)
	}
	mention(t, failed.Reason, "exited with code 127")
	mention(t, failed.Reason, "its start command runs vite, which is for development")
}
