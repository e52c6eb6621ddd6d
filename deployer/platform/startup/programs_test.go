package startup_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/startup"
)

// What is not installed is named with what to do, as shells and Node.js print it.
func TestCauseNotInstalled(t *testing.T) {
	t.Parallel()
	const (
		add   = "add it to the dependencies in package.json"
		check = "check the start command"
		path  = "it is not in the repository"
	)
	for name, test := range map[string]struct{ script, names, want string }{
		"a program":    {"no-such-program --port 80", "no-such-program", check},
		"a module":     {`node -e "require('no-such-module/part')"`, "no-such-module", add},
		"of a scope":   {`node -e "require('@no-such/module')"`, "@no-such/module", add},
		"an ES module": {`node --input-type=module -e "import 'no-such-module'"`, "no-such-module", add},
		"loaded first": {`node --import no-such-module -e 0`, "no-such-module", add},
		"a file":       {`node -e "require('./no-such-file')"`, "./no-such-file", path},
		"a path":       {`node /no/such/file`, "/no/such/file", path},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := exec.CommandContext(t.Context(), "sh", "-c", test.script).CombinedOutput() //nolint:gosec // of this test
			if err == nil {
				t.Fatalf("it succeeded: %s", out)
			}
			got := startup.Cause("drone 1 exited with code 1 before it accepted connections on PORT", string(out), "")
			if cause, remedy, _ := strings.Cut(got, "; "); !strings.Contains(cause, test.names) || !strings.HasPrefix(remedy, test.want) {
				t.Errorf("got %s, want %s, and what to do: %s", got, test.names, test.want)
			}
		})
	}
}
