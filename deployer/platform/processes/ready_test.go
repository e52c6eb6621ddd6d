package processes_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/processes"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// healthy returns a version whose health path responds with these statuses.
func (b *fixture) healthy(statuses string) runner.Version {
	b.t.Helper()
	spec := b.app("app", "health.js")
	spec.Snapshot, spec.Health, spec.Env = "2", "/healthz?deep=1", map[string]string{"STATUSES": statuses}
	return spec
}

func TestHealthPathIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{})
	for _, statuses := range []string{"200", "503 503 204", "404 1 500 302"} {
		b.mustSwitch(b.healthy(statuses))
		if got := b.get("app", "/"); got != "hello\n" {
			t.Errorf("%s: got response %q", statuses, got)
		}
		last := statuses[strings.LastIndexByte(statuses, ' ')+1:]
		if err := b.Halt(t.Context(), "me", "app"); err != nil { // flushes the log
			t.Fatal(err)
		}
		if text := b.text("app"); !strings.HasSuffix(text, "health "+last+"\n") {
			t.Errorf("%s: the health path was not requested until it succeeded:\n%s", statuses, text)
		}
	}
}

func TestUnhealthyVersionIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, statuses, path string
		limit                time.Duration
		want                 string
	}{
		{"500", "500", "", impatience, "drone 1 was not ready within 30s: GET /healthz?deep=1, its health path, answered 500; it must answer 2xx or 3xx"},
		{"silent", "1", "", impatience, "did not answer"},
		{"exits", "503 0", "", patience, "drone 1 exited with code 9 before its health path /healthz?deep=1 answered 2xx or 3xx"},
		{"no path", "200", "healthz", patience, `the health path "healthz" in package.json can't be requested`},
		{"another host", "200", "@example.org/", patience, "can't be requested"},
		{"two lines", "200", "/\r\nX: y", patience, "can't be requested"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, processes.Options{ReadyTimeout: test.limit, Grace: time.Second})
			b.mustSwitch(b.app("app", "serve.js"))
			before := b.report("app").Pid
			spec := b.healthy(test.statuses)
			if test.path != "" {
				spec.Health = test.path
			}
			err := b.Switch(t.Context(), spec)
			failed := core.AsError(err)
			if failed == nil || failed.Code != core.CodePlatformStartFailed {
				t.Fatalf("error %v, want code %s", err, core.CodePlatformStartFailed)
			}
			mention(t, failed.Reason, test.want)
			if r := b.report("app"); r.Pid != before {
				t.Errorf("pid %d responds, want the old %d", r.Pid, before)
			}
		})
	}
}
