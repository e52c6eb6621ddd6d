package travis

import (
	"context"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

var _ deploy.Gate = Gate{}

func TestGate(t *testing.T) {
	t.Parallel()
	broken := errors.New("502")
	for name, c := range map[string]struct {
		yml  string
		err  error
		push core.Entry
		want core.Wait
	}{
		"no file":  {"", core.ErrNotFound, core.Entry{}, core.Wait{Reason: "There is no .travis.yml"}},
		"no token": {"", broken, core.Entry{}, core.Wait{}},
		"invalid": {"- a", nil, core.Entry{}, core.Wait{
			Reason: ".travis.yml is invalid",
			Note:   "Travis CI cannot read .travis.yml, so the push did not wait for it: travis: reading .travis.yml: it is not a mapping",
		}},
		"no webhook": {"language: node_js", nil, core.Entry{}, core.Wait{Reason: ".travis.yml declares no webhook"}},
		"webhook": {"notifications: {webhooks: https://x.example}", nil, core.Entry{Branch: "main"}, core.Wait{
			Keys: []string{"build"}, Reason: ".travis.yml declares a webhook for builds that pass",
			For: "Travis CI's report on the commit (.travis.yml declares a webhook for builds that pass)",
		}},
		"skips CI": {"notifications: {webhooks: https://x.example}", nil, core.Entry{SkipsCI: true}, core.Wait{
			Keys: []string{"build"}, Reason: ".travis.yml declares a webhook for builds that pass",
			For:   "Travis CI's report on the commit (.travis.yml declares a webhook for builds that pass)",
			Never: "The push asks Travis CI to build nothing, and .travis.yml says to wait for its build",
		}},
		"excluded branch": {"notifications: {webhooks: https://x.example}\nbranches: {except: main}", nil, core.Entry{Branch: "main"}, core.Wait{
			Reason: `.travis.yml excludes the branch "main" from builds`,
		}},
	} {
		got, err := Gate{}.Required(t.Context(), c.push, func(_ context.Context, path string) ([]byte, error) {
			if path != ".travis.yml" {
				t.Errorf("%s: read %s", name, path)
			}
			return []byte(c.yml), c.err
		})
		if wantErr := c.err != nil && !errors.Is(c.err, core.ErrNotFound); (err != nil) != wantErr || wantErr && !errors.Is(err, c.err) {
			t.Errorf("%s: got error %v", name, err)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
	long := "a: [" + strings.Repeat("x", 1000)
	wait, err := Gate{}.Required(t.Context(), core.Entry{}, func(context.Context, string) ([]byte, error) { return []byte(long), nil })
	if err != nil || len(wait.Note) > 300 {
		t.Errorf("got a note of %d bytes, %v", len(wait.Note), err)
	}
}

// A report is for the key that the gate asks for.
func TestReportIsForTheGate(t *testing.T) {
	t.Parallel()
	wait, err := Gate{}.Required(t.Context(), core.Entry{}, func(context.Context, string) ([]byte, error) {
		return []byte("notifications: {webhooks: https://x.example}"), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := os.ReadFile("testdata/passed.json")
	if err != nil {
		t.Fatal(err)
	}
	e, err := Provider{}.Parse(deliver(t, string(payload)))
	if err != nil || e.Build.Gate != (Gate{}).Name() || !reflect.DeepEqual(wait.Keys, []string{e.Build.Key}) || !e.Build.Deploys {
		t.Errorf("the gate %s waits for %v; the report is %+v, %v", Gate{}.Name(), wait.Keys, e.Build, err)
	}
}
