package deploy_test

import (
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// With credentials, each webhook of a repository deploys what its URL asks for.
func TestTargetsOfOneRepository(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.forge.Commit(w.repo, commit1, map[string]string{
			"package.json":              `{"name":"@acme/all","version":"1.0.0"}`,
			"packages/api/package.json": `{"name":"api","version":"2.0.0"}`,
		})
		w.start()
		targets := []core.Target{
			{Branch: "main", App: "whole"},
			{Branch: "main", Root: "packages/api"},
			{Branch: "main", Root: "packages/api", App: "api-staging"},
		}
		var ids []string
		for _, target := range targets {
			r := w.request(w.push(commit1), "X-Github-Delivery", "the same")
			r.Target = target
			ids = append(ids, w.accept(r).Change.Entry.ID)
		}
		for i, want := range []string{"whole", "api", "api-staging"} {
			e := w.settled(ids[i])
			w.is(e, core.StatusOK, "")
			if e.App != want || !e.Target.Equal(targets[i]) {
				t.Errorf("got app %s of %s, want %s", e.App, e.Target, want)
			}
		}
		if got := w.platform.Roots(); got["whole"] != "" || got["api"] != "packages/api" || got["api-staging"] != "packages/api" {
			t.Errorf("got roots %v", got)
		}
	})
}

func TestPathsOfTarget(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.start()
		for files, status := range map[string]core.Status{
			"docs/a.md":             core.StatusIgnored,
			"docs/a.md lib/a.js":    core.StatusOK,
			"":                      core.StatusOK, // they are not known
			"lib/README.md a/b/c.m": core.StatusIgnored,
		} {
			push := w.push(commit1)
			push.Commit.Message, push.Before = files, files
			r := w.request(push)
			r.Target.Paths = []string{"lib", "!**/*.md"}
			e := w.settled(w.accept(r).Change.Entry.ID)
			if e.Status != status || status == core.StatusIgnored && !strings.Contains(e.Reason, "paths=lib,!**/*.md") {
				t.Errorf("%q: got %s (%s), want %s", files, e.Status, e.Reason, status)
			}
		}
	})
}

func TestGateOfTarget(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.waiting(commit1)
		w.start()
		r := w.request(w.push(commit1))
		r.Target.Gate = core.GateNone
		w.is(w.settled(w.accept(r).Change.Entry.ID), core.StatusOK, "")
		r.Target.Gate = "travis"
		w.is(w.settled(w.accept(r).Change.Entry.ID), core.StatusHeld, "")
		r.Target.Gate = "unknown"
		if _, err := w.service.Deliver(w.t.Context(), r); core.CodeOf(err) != core.CodeDeployParams || !strings.Contains(err.Error(), `no gate "unknown"`) {
			t.Errorf("got %v", err)
		}
	})
}

// The signature covers the payload, not the URL: whoever captured a signed delivery
// must not choose what of it is deployed, or as which app.
func TestTargetIsFixedForSecret(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.secret("hook", "shared")
		w.start()
		deliver := func(commit string, target core.Target) (deploy.Receipt, error) {
			r := w.signed(w.push(commit), "shared", "")
			r.Target = target
			return w.service.Deliver(w.t.Context(), r)
		}
		staging := core.Target{Branch: "staging", App: "hello-staging"}
		first, err := deliver(commit1, staging)
		if err != nil {
			t.Fatal(err)
		}
		w.is(w.settled(first.Change.Entry.ID), core.StatusIgnored, `only "staging"`)
		for _, other := range []core.Target{{Branch: "main"}, {App: "hello-staging"}, {Branch: "staging", App: "hello-staging", Root: "a"}} {
			for _, commit := range []string{commit1, commit2} {
				_, err := deliver(commit, other)
				if core.CodeOf(err) != core.CodeTargetFixed || !strings.Contains(err.Error(), `"hook" is for branch=staging, app=hello-staging`) ||
					!strings.Contains(err.Error(), "webhooks secrets change") {
					t.Errorf("%s: got %v", other, err)
				}
			}
		}
		// A URL without parameters asks for what the secret is for.
		second, err := deliver(commit2, core.Target{})
		if err != nil || !second.Change.Entry.Target.Equal(staging) {
			t.Errorf("got %+v, %v", second.Change.Entry.Target, err)
		}
		// Credentials make the URL count.
		r := w.signed(w.push(commit1), "shared", "")
		r.Credentials = &core.Credentials{Username: "dscape", Password: core.NewSecret("secret")}
		r.Target = core.Target{Branch: "main"}
		w.is(w.settled(w.accept(r).Change.Entry.ID), core.StatusOK, "")
	})
}

func TestTargetOfSecretIsSet(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		err := w.accounts.SetToken(w.t.Context(), "dscape", core.ThirdPartyToken{
			ID: "hook", Provider: core.TokenWebhookSecret, Token: core.NewSecret("shared"), Target: &core.Target{App: "production"},
		})
		if err != nil {
			t.Fatal(err)
		}
		w.start()
		r := w.signed(w.push(commit1), "shared", "")
		r.Target = core.Target{}
		if e := w.settled(w.accept(r).Change.Entry.ID); e.Status != core.StatusOK || e.App != "production" {
			t.Errorf("got %s of %q", e.Status, e.App)
		}
		r.Target.App = "hello"
		if _, err := w.service.Deliver(w.t.Context(), r); core.CodeOf(err) != core.CodeTargetFixed {
			t.Errorf("got %v", err)
		}
	})
}

// Whoever can't fix the target deploys nothing.
func TestTargetNotFixed(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.secret("hook", "shared")
		w.accounts.Fail("FixTarget", core.ErrNotFound)
		r := w.signed(w.push(commit1), "shared", "")
		if _, err := w.service.Deliver(w.t.Context(), r); core.CodeOf(err) != core.CodeAuthServerDown {
			t.Errorf("got %v", err)
		}
	})
}
