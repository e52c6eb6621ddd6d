package apps_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

const (
	packageOne = `{"name":"@me/App","version":"1.0.0","subdomain":"one","domains":["one.example.org"],"env":{"FLAG":"on","COLOR":"red"}}`
	packageTwo = `{"name":"@me/App","version":"2.0.0","subdomain":"two","domains":["two.example.org"],"env":{"COLOR":"blue"}}`
)

// A version becomes visible in one step after it is ready, with all that its
// package.json says.
func TestDeployment(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{})
	f.update(`{"env":{"MINE":"1"}}`)
	f.deploy("v1", packageOne)
	f.did("launch v1", "promote v1", "watch v1", "commit v1") // nothing else can answer
	const one = "{Subdomain:one Version:1.0.0 State:started Reason: Domains:[one.example.org] Env:map[COLOR:red FLAG:on MINE:1] MaxDrones:1 " +
		"Active:{ID:v1 Snapshot:} Running:{ID:v1 Snapshot:} Crashed:{ID: Snapshot:} Snapshots:[{ID:v1}]}; " +
		"hosts [one=me/app one.example.org=me/app]; runs v1 one map[COLOR:red FLAG:on MINE:1] with 1"
	if got := f.whole(); got != one {
		t.Errorf("got  %s\nwant %s", got, one)
	}
	f.upload("v2", packageTwo)
	if got := f.whole(); got != strings.Replace(one, "[{ID:v1}]", "[{ID:v1} {ID:v2}]", 1) {
		t.Errorf("after an upload %s", got)
	}
	f.runner.watch = func(context.Context, runner.Version, time.Duration) error {
		if got := f.whole(); got != strings.Replace(one, "[{ID:v1}]", "[{ID:v1} {ID:v2}]", 1) {
			t.Errorf("before it is proven %s", got)
		}
		return nil
	}
	f.runner.done()
	f.ok(f.start("v2"))
	f.did("launch v2", "watch v2", "promote v2", "commit v2")
	if f.runner.standby != time.Millisecond {
		t.Errorf("the version before stands by for %v", f.runner.standby)
	}
	const two = "{Subdomain:two Version:2.0.0 State:started Reason: Domains:[two.example.org] Env:map[COLOR:blue MINE:1] MaxDrones:1 " +
		"Active:{ID:v2 Snapshot:} Running:{ID:v2 Snapshot:} Crashed:{ID: Snapshot:} Snapshots:[{ID:v1} {ID:v2}]}; " +
		"hosts [two=me/app two.example.org=me/app]; runs v2 two map[COLOR:blue MINE:1] with 1"
	if got := f.whole(); got != two {
		t.Errorf("got  %s\nwant %s", got, two)
	}
	f.restart()
	f.did("resume v2")
	if got := f.whole(); got != two {
		t.Errorf("after a restart\ngot  %s\nwant %s", got, two)
	}
}

// Starting an older snapshot brings back its environment and addresses.
func TestRollbackByHand(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{})
	f.deploy("v1", packageOne)
	before := f.whole()
	f.deploy("v2", packageTwo)
	f.deploy("v3", `{"name":"@me/App"}`)
	if got := f.view(); got.Subdomain != "app" || len(got.Domains) != 0 || len(got.Env) != 0 {
		t.Errorf("what a package.json does not name is %+v", got)
	}
	_, err := f.Activate("me", "app", "v1", "")
	f.ok(err)
	_, err = f.Start(t.Context(), "me", "app", "", "", "")
	f.ok(err)
	if got, want := f.whole(), strings.Replace(before, "[{ID:v1}]", "[{ID:v1} {ID:v2} {ID:v3}]", 1); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A snapshot that a person activates while another one starts stays the active one.
func TestActivatedMeanwhile(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{})
	f.deploy("v1", packageOne)
	before := f.whole()
	f.deploy("v2", packageTwo)
	f.upload("v3", packageTwo)
	f.runner.launch = func(v runner.Version) error {
		if v.Snapshot != "v3" {
			return nil
		}
		_, err := f.Activate("me", "app", "v1", "")
		return err
	}
	f.ok(f.start("v3"))
	if got := f.snapshots(); got != "v1* v2 v3!" {
		t.Errorf("the app has %s", got)
	}
	_, err := f.Start(t.Context(), "me", "app", "", "", "")
	f.ok(err)
	if got, want := f.whole(), strings.Replace(before, "[{ID:v1}]", "[{ID:v1} {ID:v2} {ID:v3}]", 1); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// If a version fails before it has served for long enough, the app is as it was
// before, also after a restart of the server and if the server is killed meanwhile.
func TestNothingIsHalfDone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fail func(f *fixture, leave func())
		code core.Code
		is   error
	}{
		"it does not start": {func(f *fixture, _ func()) {
			f.runner.launch = func(runner.Version) error { return failedStart() }
		}, core.CodePlatformStartFailed, nil},
		"it does not serve for long": {func(f *fixture, _ func()) {
			f.runner.watch = func(context.Context, runner.Version, time.Duration) error { return failedStart() }
		}, core.CodePlatformStartFailed, nil},
		"its address belongs to another app": {func(f *fixture, _ func()) {
			_, err := f.Create("you", "two", nil)
			f.ok(err)
		}, core.CodePlatformHostConflict, nil},
		"another app claims its address": {func(f *fixture, _ func()) {
			f.runner.launch = func(runner.Version) error {
				_, err := f.Create("you", "two", nil)
				return err
			}
		}, core.CodePlatformHostConflict, nil},
		"the caller leaves while it starts": {func(f *fixture, leave func()) {
			f.runner.launch = func(runner.Version) error { leave(); return nil }
		}, "", context.Canceled},
		"the caller leaves while it is watched": {func(f *fixture, leave func()) {
			f.runner.watch = func(ctx context.Context, _ runner.Version, _ time.Duration) error { leave(); return ctx.Err() }
		}, "", context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t, apps.Options{})
			f.update(`{"env":{"MINE":"1"}}`)
			f.deploy("v1", packageOne)
			f.upload("v2", packageTwo)
			_, err := f.SetCloud(t.Context(), "me", "app", []apps.Cloud{{Drones: 2}}, "")
			f.ok(err)
			before := strings.Replace(f.whole(), " two=you/two", "", 1)
			ctx, leave := context.WithCancel(t.Context())
			c.fail(f, leave)
			_, err = f.Start(ctx, "me", "app", "v2", "", "")
			if c.code != "" && core.CodeOf(err) != c.code || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("it fails with %v", err)
			}
			now := func() string { return strings.Replace(f.whole(), " two=you/two", "", 1) }
			if got := now(); got != before {
				t.Errorf("got  %s\nwant %s", got, before)
			}
			f.restart()
			if got := now(); got != before {
				t.Errorf("after a restart of the server\ngot  %s\nwant %s", got, before)
			}
			_, err = f.Restart(t.Context(), "me", "app", "")
			f.ok(err)
			if got := now(); got != before {
				t.Errorf("after a restart of the app\ngot  %s\nwant %s", got, before)
			}
			if name != "its address belongs to another app" && name != "another app claims its address" {
				f.ok(f.start("v2")) // a later attempt succeeds
			}
		})
	}
}

// A server that is killed while a version has yet to be up for long enough comes
// back with the one before.
func TestKilledWhileAVersionIsWatched(t *testing.T) {
	t.Parallel()
	for name, packageJSON := range map[string]string{"beside": packageTwo, "stop first": strings.Replace(packageTwo, "{", `{"webhooks":{"switch":"stop-first"},`, 1)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t, apps.Options{})
			f.deploy("v1", packageOne)
			f.upload("v2", packageJSON)
			before := f.whole()
			var again *fixture
			f.runner.watch = func(context.Context, runner.Version, time.Duration) error {
				again = f.copied()
				return nil
			}
			f.ok(f.start("v2"))
			again.did("resume v1")
			if got := again.whole(); got != before {
				t.Errorf("got  %s\nwant %s", got, before)
			}
		})
	}
}

// Settings of people are apart from those of a package.json, which take precedence.
func TestEnvironmentsAreApart(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{})
	runs := func(want string) {
		t.Helper()
		var all []string
		for _, name := range []string{"COLOR", "FLAG", "MINE"} {
			if value, ok := f.runner.runs().Env[name]; ok {
				all = append(all, name+"="+value)
			}
		}
		if got := strings.Join(all, " "); got != want {
			t.Errorf("it runs with %s, want %s", got, want)
		}
	}
	f.update(`{"env":{"MINE":"1","COLOR":"mine"}}`)
	f.deploy("v1", packageOne)
	runs("COLOR=red FLAG=on MINE=1")
	// A caller that reads the environment and writes it back with one more
	// variable has not set those of package.json.
	f.update(`{"env":{"MINE":"2","COLOR":"red","FLAG":"on"}}`)
	runs("COLOR=red FLAG=on MINE=1") // until the next start
	_, err := f.Restart(t.Context(), "me", "app", "")
	f.ok(err)
	runs("COLOR=red FLAG=on MINE=2")
	f.deploy("v2", packageTwo) // without FLAG
	runs("COLOR=blue MINE=2")
	f.update(`{"env":{}}`)
	f.ok(f.start("v1"))
	runs("COLOR=red FLAG=on")
	f.restart()
	runs("COLOR=red FLAG=on")
}

// An address that a person sets applies at once, until a package.json sets another
// one.
func TestAddressOfAPerson(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{})
	f.deploy("v1", packageOne)
	f.update(`{"subdomain":"set"}`)
	if _, _, ok := f.Lookup("set.localhost"); !ok {
		t.Error("it is not reached there")
	}
	_, err := f.Restart(t.Context(), "me", "app", "")
	f.ok(err)
	if got := f.view().Subdomain; got != "set" {
		t.Errorf("after a restart it is at %s", got)
	}
	f.deploy("v2", `{"name":"@me/App"}`)
	if got := f.view(); got.Subdomain != "set" || len(got.Domains) > 0 {
		t.Errorf("a package.json without an address brings it to %+v", got)
	}
	f.ok(f.start("v1"))
	if got := f.view().Subdomain; got != "one" {
		t.Errorf("the one with an address brings it to %s", got)
	}
}

// A package that is deployed as an app of another name has no claim to the addresses
// that it asks for.
func TestAddressesOfAnotherName(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{})
	f.deploy("v1", strings.Replace(packageOne, "@me/App", "production", 1))
	if got := f.view(); got.Subdomain != "app" || len(got.Domains) > 0 || got.Version != "1.0.0" {
		t.Errorf("got %+v", got)
	}
}

// Clients that deploy step by step, as the published ones do, set the fields
// before the start; these apply until another deployment.
func TestStepwiseDeployment(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{})
	f.deploy("v1", packageOne)
	f.update(`{"version":"2.0.1","subdomain":"set"}`)
	f.upload("v2", packageTwo)
	_, err := f.Activate("me", "app", "v2", "")
	f.ok(err)
	_, err = f.Start(t.Context(), "me", "app", "", "", "")
	f.ok(err)
	if got := f.view(); got.Version != "2.0.1" || got.Subdomain != "set" || got.Env["COLOR"] != "blue" || got.Domains[0] != "two.example.org" {
		t.Errorf("got %+v", got)
	}
	// What does not start is not the active one any more.
	f.upload("v3", packageOne)
	_, err = f.Activate("me", "app", "v3", "")
	f.ok(err)
	for name, fail := range map[string]func(){
		"at once": func() { f.runner.launch = func(runner.Version) error { return failedStart() } },
		"soon": func() {
			f.runner.launch = nil
			f.runner.watch = func(context.Context, runner.Version, time.Duration) error { return failedStart() }
		},
	} {
		fail()
		if _, err = f.Start(t.Context(), "me", "app", "v3", "", ""); core.CodeOf(err) != core.CodePlatformStartFailed {
			t.Errorf("%s: %v", name, err)
		}
		if got := f.snapshots(); got != "v1 v2*! v3" {
			t.Errorf("%s: the app has %s", name, got)
		}
	}
	f.runner.launch, f.runner.watch = nil, nil
	f.ok(f.start("v1"))
	if got := f.view(); got.Version != "1.0.0" || got.Subdomain != "one" {
		t.Errorf("after another deployment %+v", got)
	}
}

// A package.json that can't take effect fails its build, and not what runs.
func TestPackageThatCannotTakeEffect(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{})
	f.deploy("v1", packageOne)
	before := f.whole()
	for packageJSON, want := range map[string]string{
		`{"subdomain":"a b"}`:                   "subdomain",
		`{"domains":["a b"]}`:                   "is not a domain",
		`{"domains":["bücher.example"]}`:        "in their ASCII form, xn--",
		`{"env":{"A":{"b":1}}}`:                 "must be a string",
		`{"env":["A"]}`:                         "must be an object",
		`{"domains":["other.localhost"]}`:       "the platform's own domain",
		`{"domains":{"example.org":"a list?"}}`: "must be a list of strings",
	} {
		_, err := f.Upload(t.Context(), "me", "app", "v2", "", strings.NewReader(packageJSON), &strings.Builder{})
		if core.CodeOf(err) != core.CodePlatformBuildFailed || !strings.Contains(core.AsError(err).Reason, want) {
			t.Errorf("%s: %v, want %q", packageJSON, err, want)
		}
	}
	if got := f.whole(); got != before {
		t.Errorf("got  %s\nwant %s", got, before)
	}
}

// The release command runs once before a new version is launched, and its failure
// leaves all as it was.
func TestRelease(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{})
	f.deploy("v1", packageOne)
	f.update(`{"env":{"MINE":"1"}}`)
	f.upload("v2", `{"name":"@me/App","Procfile":{"release":"node migrate.js","worker":"node worker.js"},"env":{"COLOR":"blue"}}`)
	before := f.whole()
	exit := runner.Exit{Code: 3, Reason: "exited with code 3", Detail: "no such table"}
	f.runner.run = func(_ context.Context, v runner.Version, c runner.Command) (runner.Exit, error) {
		if v.Env["COLOR"] != "blue" || v.Env["MINE"] != "1" || c.Shell != "node migrate.js" || c.Out != nil {
			t.Errorf("it runs %+v of %+v", c, v)
		}
		return exit, nil
	}
	f.runner.done()
	err := f.start("v2")
	if e := core.AsError(err); core.CodeOf(err) != core.CodePlatformStartFailed || e.Detail != "no such table" ||
		e.Reason != "the release command of the Procfile, node migrate.js, exited with code 3: no such table" {
		t.Errorf("it fails with %+v", e)
	}
	f.did("release v2")
	if got := f.whole(); got != before {
		t.Errorf("got  %s\nwant %s", got, before)
	}
	exit = runner.Exit{}
	f.ok(f.start("v2"))
	f.did("release v2", "launch v2", "watch v2", "promote v2", "commit v2")
	if v := f.runner.runs(); v.Processes["worker"] != "node worker.js" || v.Start == "" || f.runner.standby != 0 {
		t.Errorf("it runs %+v, with a standby of %v", v, f.runner.standby)
	}
	// The same version again is not a release, but another environment is.
	_, err = f.Restart(t.Context(), "me", "app", "")
	f.ok(err)
	f.did("launch v2", "promote v2", "commit v2")
	f.update(`{"env":{"MINE":"2"}}`)
	f.runner.run = nil
	_, err = f.Restart(t.Context(), "me", "app", "")
	f.ok(err)
	f.did("release v2", "launch v2", "watch v2", "promote v2", "commit v2")
}

func TestReleaseThatHangs(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{ReleaseTimeout: time.Millisecond})
	f.upload("v1", `{"Procfile":{"release":"sleep 1000"}}`)
	f.runner.run = func(ctx context.Context, _ runner.Version, _ runner.Command) (runner.Exit, error) {
		<-ctx.Done()
		return runner.Exit{}, ctx.Err()
	}
	if err := f.start("v1"); core.CodeOf(err) != core.CodePlatformStartFailed || !strings.Contains(err.Error(), "took longer than 1ms") {
		t.Errorf("it fails with %v", err)
	}
}

// What suffers no second copy is stopped before the next version is started, and
// started again if that fails.
func TestStopFirst(t *testing.T) {
	t.Parallel()
	const stopFirst = `{"name":"@me/App","Procfile":{"release":"node migrate.js"},"webhooks":{"switch":"stop-first"}}`
	f := setup(t, apps.Options{Trial: time.Hour})
	f.deploy("v1", packageOne)
	f.upload("v2", stopFirst)
	f.runner.done()
	before := f.whole()
	for name, c := range map[string]struct {
		fail func()
		did  []string
	}{
		"release": {func() {
			f.runner.run = func(context.Context, runner.Version, runner.Command) (runner.Exit, error) {
				return runner.Exit{Code: 1}, nil
			}
		}, []string{"halt", "release v2", "halt", "resume v1"}},
		"launch": {func() {
			f.runner.launch = func(runner.Version) error { return failedStart() }
		}, []string{"halt", "release v2", "launch v2", "halt", "resume v1"}},
		"watch": {func() {
			f.runner.watch = func(context.Context, runner.Version, time.Duration) error { return failedStart() }
		}, []string{"halt", "release v2", "launch v2", "promote v2", "watch v2", "abort v2", "halt", "resume v1"}},
		"launch, and processes can't be ended": {func() {
			f.runner.launch = func(runner.Version) error {
				f.runner.halt = func() (bool, error) { return true, errors.New("processes are left") }
				return failedStart()
			}
		}, []string{"halt", "release v2", "launch v2", "halt", "resume v1"}},
	} {
		c.fail()
		if err := f.start("v2"); core.CodeOf(err) != core.CodePlatformStartFailed {
			t.Errorf("%s: it fails with %v", name, err)
		}
		f.did(c.did...)
		f.runner.launch, f.runner.watch, f.runner.run, f.runner.halt = nil, nil, nil, nil
		if got := f.whole(); got != before {
			t.Errorf("%s: got  %s\nwant %s", name, got, before)
		}
	}
	f.ok(f.start("v2"))
	f.did("halt", "release v2", "launch v2", "promote v2", "watch v2", "commit v2")
	f.deploy("v3", stopFirst)
	f.runner.done()
	f.runner.crash(false)
	if e := f.event(); e.Kind != apps.EventRolledBack || e.Former != "v2" {
		t.Errorf("event %+v", e)
	}
	f.does("halt", "launch v2", "promote v2", "commit v2")
}

// If what suffers no second copy was stopped, but the caller left before that was over, it
// is started again; if it was not stopped, it goes on.
func TestStopFirstIsInterrupted(t *testing.T) {
	t.Parallel()
	const stopFirst = `{"name":"@me/App","webhooks":{"switch":"stop-first"}}`
	f := setup(t, apps.Options{Trial: time.Hour})
	f.deploy("v1", stopFirst)
	f.deploy("v2", stopFirst)
	f.upload("v3", stopFirst)
	f.runner.done()
	before := f.whole()
	for _, stopped := range []bool{true, false} {
		did := []string{"halt"}
		if stopped {
			did = append(did, "halt", "resume v2")
		}
		ctx, leave := context.WithCancel(t.Context())
		f.runner.halt = func() (bool, error) { leave(); return stopped, ctx.Err() }
		if _, err := f.Start(ctx, "me", "app", "v3", "", ""); !errors.Is(err, context.Canceled) {
			t.Errorf("stopped: %t: it fails with %v", stopped, err)
		}
		f.did(did...)
		if got := f.whole(); got != before {
			t.Errorf("stopped: %t: got  %s\nwant %s", stopped, got, before)
		}
	}
	// The same when the one before is to run again.
	f.runner.halt = func() (bool, error) { return true, context.Canceled }
	f.runner.crash(false)
	f.does("halt", "halt", "resume v2")
	if e := f.event(); e.Kind != apps.EventCrashed {
		t.Errorf("event %+v", e)
	}
	if got := f.view(); got.State != "started" || got.Running.ID != "v2" {
		t.Errorf("after a crash it is %+v", got)
	}
}

// A server does not wait for an app that can't be started again.
func TestCloseDuringARestore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setup(t, apps.Options{Trial: time.Hour})
		const stopFirst = `{"name":"@me/App","webhooks":{"switch":"stop-first"}}`
		f.deploy("v1", stopFirst)
		f.deploy("v2", stopFirst)
		f.runner.launch = func(runner.Version) error { return failedStart() }
		f.runner.resume = func(ctx context.Context, _ runner.Version) error { <-ctx.Done(); return ctx.Err() }
		f.runner.done()
		f.runner.crash(false)
		f.does("halt", "launch v1", "halt", "resume v2")
		f.Close()
	})
}

func TestStopAndRestart(t *testing.T) {
	t.Parallel()
	f := setup(t, apps.Options{})
	if _, err := f.Start(t.Context(), "me", "app", "", "", ""); core.CodeOf(err) != core.CodePlatformNoSnapshots {
		t.Errorf("an app without snapshots starts with %v", err)
	}
	if err := f.start("v9"); core.CodeOf(err) != core.CodePlatformSnapshotNotFound {
		t.Errorf("an unknown snapshot starts with %v", err)
	}
	f.deploy("v1", packageOne)
	f.deploy("v2", packageTwo)
	_, err := f.Activate("me", "app", "v1", "")
	f.ok(err)
	f.runner.done()
	_, err = f.Restart(t.Context(), "me", "app", "")
	f.ok(err)
	f.did("launch v2", "promote v2", "commit v2") // what runs, with nothing to watch for
	if got := f.snapshots(); got != "v1* v2!" {
		t.Errorf("the app has %s", got)
	}
	_, err = f.Stop(t.Context(), "me", "app", "")
	f.ok(err)
	f.did("halt")
	f.restart()
	f.did()
	if got := f.view(); got.State != "stopped" || got.Subdomain != "two" {
		t.Errorf("stopped, it is %+v", got)
	}
	_, err = f.Restart(t.Context(), "me", "app", "")
	f.ok(err)
	if got := f.snapshots(); got != "v1*! v2" {
		t.Errorf("the app has %s", got)
	}
}
