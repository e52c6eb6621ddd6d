package apps_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/apps"
)

// platform is a platform with the one app hello of dscape.
type platform struct {
	app    apps.App
	fail   error // of Rollback
	called []string
}

func (p *platform) Apps(context.Context, string) ([]apps.App, error) {
	return []apps.App{p.app, {Name: "blog"}}, nil
}

func (p *platform) App(_ context.Context, user, app string) (apps.App, error) {
	if user != "dscape" || app != p.app.Name {
		return apps.App{}, core.ErrNotFound
	}
	return p.app, nil
}

func (p *platform) Logs(context.Context, string, string, int) ([]apps.Line, error) {
	return []apps.Line{{Text: "listening"}}, nil
}

func (p *platform) call(name string) { p.called = append(p.called, name) }

func (p *platform) Restart(context.Context, string, string) error {
	p.call("restart")
	return nil
}

func (p *platform) Stop(context.Context, string, string) error {
	p.call("stop")
	return nil
}

func (p *platform) Rollback(_ context.Context, _, _, snapshot string) error {
	p.call("rollback " + snapshot)
	return p.fail
}

func (p *platform) Run(context.Context, string, string) error {
	p.call("run")
	return nil
}

func (p *platform) SetEnv(_ context.Context, _, _ string, env map[string]string) error {
	p.app.Env = env
	return nil
}

func (p *platform) SetDomains(_ context.Context, _, _ string, domains []string) error {
	p.app.Domains = domains
	return nil
}

func newPlatform() *platform {
	return &platform{app: apps.App{
		Name: "hello", Domains: []string{"hello.example.com"}, Env: map[string]string{"GREETING": "hi"},
		Snapshots: []apps.Snapshot{{ID: "2", Active: true, Running: true}, {ID: "1"}},
	}}
}

func TestRead(t *testing.T) {
	t.Parallel()
	s := apps.New(apps.Options{Platform: newPlatform()})
	all, err := s.List(t.Context(), "dscape")
	if err != nil || len(all) != 2 || all[0].Name != "blog" || all[1].Running() != "2" {
		t.Errorf("the apps: %+v, %v", all, err)
	}
	if a, err := s.Get(t.Context(), "dscape", "hello"); err != nil || a.Name != "hello" {
		t.Errorf("the app: %+v, %v", a, err)
	}
	if lines, err := s.Logs(t.Context(), "dscape", "hello", 10); err != nil || len(lines) != 1 {
		t.Errorf("the log: %+v, %v", lines, err)
	}
	for _, name := range []string{"other", "../etc", ""} {
		if _, err := s.Get(t.Context(), "dscape", name); core.CodeOf(err) != core.CodePlatformAppNotFound {
			t.Errorf("the app %q: %v", name, err)
		}
	}
}

func TestRollback(t *testing.T) {
	t.Parallel()
	refused := core.NewError(core.CodePlatformStartFailed, "", nil)
	for name, c := range map[string]struct {
		to   string
		fail error
		want core.Code
		did  []string
	}{
		"to a version that starts":       {"1", nil, "", []string{"rollback 1"}},
		"to one that does not":           {"1", refused, core.CodePlatformStartFailed, []string{"rollback 1"}},
		"to one that does not exist":     {"3", nil, core.CodePlatformSnapshotNotFound, nil},
		"while the platform is too busy": {"1", core.Transient(errors.New("busy"), 0), core.CodePlatformBusy, []string{"rollback 1"}},
	} {
		p := newPlatform()
		p.fail = c.fail
		err := apps.New(apps.Options{Platform: p}).Rollback(t.Context(), "dscape", "hello", c.to)
		if core.CodeOf(err) != c.want || !slices.Equal(p.called, c.did) {
			t.Errorf("%s: got %v after %v, want %q after %v", name, err, p.called, c.want, c.did)
		}
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	s := apps.New(apps.Options{Platform: p})
	if err := s.Restart(t.Context(), "dscape", "hello"); err != nil {
		t.Error(err)
	}
	p.app.Snapshots[0].Running = false // it was stopped
	if err := s.Restart(t.Context(), "dscape", "hello"); err != nil {
		t.Error(err)
	}
	if err := s.Stop(t.Context(), "dscape", "hello"); err != nil {
		t.Error(err)
	}
	if want := []string{"restart", "run", "stop"}; !slices.Equal(p.called, want) {
		t.Errorf("got %v, want %v", p.called, want)
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	s := apps.New(apps.Options{Platform: p})
	if err := s.SetVariable(t.Context(), "dscape", "hello", "COLOUR", "blue"); err != nil {
		t.Error(err)
	}
	if err := s.RemoveVariable(t.Context(), "dscape", "hello", "GREETING"); err != nil {
		t.Error(err)
	}
	if want := map[string]string{"COLOUR": "blue"}; !maps.Equal(p.app.Env, want) {
		t.Errorf("got %v, want %v", p.app.Env, want)
	}
	for _, name := range []string{"", "A=B", "A B", "Ä"} {
		if err := s.SetVariable(t.Context(), "dscape", "hello", name, "x"); core.CodeOf(err) != core.CodePlatformInvalid {
			t.Errorf("the variable %q: %v", name, err)
		}
	}
}

func TestDomains(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	s := apps.New(apps.Options{Platform: p})
	for _, domain := range []string{" WWW.Example.com. ", "hello.example.com"} {
		if err := s.AddDomain(t.Context(), "dscape", "hello", domain); err != nil {
			t.Error(err)
		}
	}
	if err := s.RemoveDomain(t.Context(), "dscape", "hello", "hello.example.com"); err != nil {
		t.Error(err)
	}
	if want := []string{"www.example.com"}; !slices.Equal(p.app.Domains, want) {
		t.Errorf("got %v, want %v", p.app.Domains, want)
	}
	if err := s.AddDomain(t.Context(), "dscape", "hello", " "); core.CodeOf(err) != core.CodePlatformInvalid {
		t.Errorf("no domain: %v", err)
	}
}
