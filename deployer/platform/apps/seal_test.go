package apps_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/seal"
)

// Environments are not stored in plain text, and a new key can replace the old one.
func TestEnvironmentsAreSealed(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{})
	f.update(`{"env":{"MINE":"canary-1"}}`)
	f.deploy("v1", `{"env":{"THEIRS":"canary-2"}}`)
	f.deploy("v2", `{"env":{"THEIRS":"canary-3"}}`)
	f.update(`{"env":{"MINE":"canary-4","THEIRS":"canary-3"}}`)
	check := func() {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(f.dir, "apps.db"))
		f.ok(err)
		if strings.Contains(string(text), "canary") {
			t.Error("a variable is in the file")
		}
		if env := f.view().Env; env["MINE"] != "canary-4" || env["THEIRS"] != "canary-3" {
			t.Errorf("it is %v", env)
		}
		if env := f.runner.runs().Env; env["MINE"] != "canary-1" || env["THEIRS"] != "canary-3" {
			t.Errorf("it runs with %v", env)
		}
	}
	check()
	old := f.key
	fresh := seal.NewKey()
	f.key = core.NewSecret(fresh.Reveal() + "\n" + old.Reveal())
	f.restart()
	if n, err := f.Reseal(); err != nil || n != 1 {
		t.Errorf("%d apps are sealed anew, %v", n, err)
	}
	if n, err := f.Reseal(); err != nil || n != 0 {
		t.Errorf("again %d apps are sealed anew, %v", n, err)
	}
	f.key = fresh // the old one is removed
	f.restart()
	check()
	f.ok(f.start("v1"))
	if env := f.runner.runs().Env; env["MINE"] != "canary-4" || env["THEIRS"] != "canary-2" {
		t.Errorf("it runs with %v", env)
	}
	// Without the key the app is unchanged, and a start fails with the reason.
	f.key = old
	f.restart()
	f.did()
	if err := f.start("v1"); err == nil || !strings.Contains(err.Error(), "is not among the keys") {
		t.Errorf("without the key it starts with %v", err)
	}
	if _, err := f.Reseal(); err == nil {
		t.Error("without the key it is sealed anew")
	}
	f.key = fresh
	f.restart()
	f.did("resume v1")
}
