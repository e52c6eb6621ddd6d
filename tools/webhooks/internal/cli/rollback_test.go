//go:build linux

// The embedded platform, which these tests call, needs Linux.

package cli_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

func TestRollback(t *testing.T) {
	t.Parallel()
	b := setup(t)
	fails := func(want string, args ...string) {
		t.Helper()
		if code, stdout, stderr := b.call("", append([]string{"rollback"}, args...)...); code != 1 || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%q: got code %d, %q and %q; want %q", args, code, stdout, stderr, want)
		}
	}
	fails("none", "none")
	b.must("apps", "create", "hello")
	fails("the app has no snapshots", "hello")

	dir := folder(t, hello("one"))
	var ids []string
	for _, text := range []string{"one", "two", "three"} {
		fill(t, dir, hello(text))
		if text == "two" { // which will not start again
			fill(t, dir, map[string]string{"server.js": hello(text)["server.js"] + `if (process.env.BROKEN) { console.log('\x1b[1mnot today'); process.exit(1) }`})
		}
		if text == "three" { // a version that never serves, which no rollback goes to by itself
			fill(t, dir, map[string]string{"server.js": "process.exit(1)"})
			if code, _, _ := b.call("", "deploy", dir); code != 1 {
				t.Errorf("a version that exits: got code %d", code)
			}
			if stdout, _ := b.must("apps", "view", "hello"); strings.Count(stdout, "has never served") != 1 {
				t.Errorf("got %s", stdout)
			}
			fill(t, dir, hello(text))
		}
		b.must("deploy", dir)
		app, err := b.client.App(t.Context(), "dscape", "hello")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, app.Running.ID)
	}
	turned := func(from, to, answer string, args ...string) {
		t.Helper()
		stdout, _ := b.must(append([]string{"rollback", "hello"}, args...)...)
		if want := `^rolled back hello from ` + from + ` to ` + to + ` in [0-9.]+m?s\n$`; !regexp.MustCompile(want).MatchString(stdout) {
			t.Errorf("got %q, want %q", stdout, want)
		}
		if got := b.get("hello", "/"); got != answer {
			t.Errorf("the app answers %q, want %q", got, answer)
		}
	}
	turned(ids[2], ids[1], "two")
	turned(ids[1], ids[0], "one")
	fails("no snapshot before "+ids[0]+" has served", "hello")
	fails(`no snapshot "9.9.9"; see`, "hello", "9.9.9")
	fails(ids[0][:3]+" is the beginning of ", "hello", ids[0][:3])
	turned(ids[0], ids[2], "three", ids[2])

	// One that does not start leaves all as it was.
	b.must("apps", "env", "set", "hello", "BROKEN=1")
	fails(ids[1]+" did not start: ", "hello")
	fails("not today\nThe version before it goes on running.", "hello")
	if got := b.get("hello", "/"); got != "three" {
		t.Errorf("the app answers %q", got)
	}
	stdout, _ := b.must("rollback", "hello", ids[0], "--output", "json")
	var result struct {
		From, To, URL string
		Seconds       float64
	}
	if err := json.Unmarshal([]byte(stdout), &result); err != nil || result.From != ids[2] || result.To != ids[0] || result.Seconds <= 0 || !strings.HasPrefix(result.URL, "http://hello.") {
		t.Errorf("got %q, %v", stdout, err)
	}
}
