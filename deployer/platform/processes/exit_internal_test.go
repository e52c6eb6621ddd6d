package processes

import (
	"os/exec"
	"testing"
)

// What is not installed is named, as shells and Node.js print it.
func TestNotInstalled(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ script, want string }{
		"a program":        {"no-such-program --port 80", "no-such-program"},
		"of the last line": {"no-such-first; no-such-program", "no-such-program"},
		"a module":         {`node -e "require('no-such-module/part')"`, "no-such-module"},
		"of a scope":       {`node -e "require('@no-such/module')"`, "@no-such/module"},
		"an ES module":     {`node --input-type=module -e "import 'no-such-module'"`, "no-such-module"},
		"loaded first":     {`node --import no-such-module -e 0`, "no-such-module"},
		"a file":           {`node -e "require('./no-such-file')"`, ""},
		"a path":           {`node /no/such/file`, ""},
		"another cause":    {`echo "sh: 1: tsc: not found"; exit 1`, ""},
		"success":          {`node -e "try { require('no-such-module') } catch (err) { console.log(err) }"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := exec.CommandContext(t.Context(), "sh", "-c", test.script).CombinedOutput() //nolint:gosec // of this test
			if got := notInstalled(err, string(out)); got != test.want {
				t.Errorf("got %q, want %q, after %v\n%s", got, test.want, err, out)
			}
		})
	}
}
