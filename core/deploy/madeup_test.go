package deploy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// This file is all that a sender with a forge and a gate of its own takes: a
// provider that reads its deliveries, a forge that reads its repositories, a gate
// that says what its pushes wait for, and a line for each in the options.

// orchard is a made-up host of repositories. Its webhooks name a repository, a
// branch and a commit, or what a taster thinks of a commit.
const orchard = "orchard.example"

type orchardProvider struct{}

type orchardPayload struct {
	Grower, Tree, Branch, Apple string
	Taster, Verdict             string
}

func (orchardProvider) Name() core.Provider { return "orchard" }

func (orchardProvider) Recognize(d core.Delivery) bool { return d.Header.Get("X-Orchard") != "" }

func (orchardProvider) Resembles(core.Delivery) bool { return false }

func (orchardProvider) DeliveryID(d core.Delivery) (string, bool) {
	return d.Header.Get("X-Orchard"), false
}

func (orchardProvider) Verify(d core.Delivery, keys []core.Secret) (core.Signature, int) {
	given := core.NewSecret(d.Header.Get("X-Orchard-Secret"))
	if given.IsZero() {
		return core.SignatureNone, -1
	}
	for i, key := range keys {
		if key.Equal(given) {
			return core.SignatureValid, i
		}
	}
	return core.SignatureInvalid, -1
}

func (orchardProvider) Changed(core.Delivery, func(string) bool) (changed, complete bool) {
	return false, false
}

func (orchardProvider) Parse(d core.Delivery) (core.Event, error) {
	var p orchardPayload
	if err := json.Unmarshal(d.Payload, &p); err != nil {
		return core.Event{}, core.NewError(core.CodeProviderNotSupported, "", err)
	}
	e := core.Event{
		Provider: "orchard", Kind: core.EventPush, Name: "picked",
		Repository: core.Repository{Forge: orchard, Owner: p.Grower, Name: p.Tree},
		Ref:        "refs/heads/" + p.Branch, Branch: p.Branch,
		Commit: core.Commit{ID: p.Apple}, Commits: []string{p.Apple},
	}
	if p.Taster != "" {
		e.Kind, e.Name, e.Ref = core.EventBuild, "tasted", ""
		e.Build = core.Build{
			Gate: "tasting", Key: p.Taster, Name: "The taster " + p.Taster,
			ID: d.Header.Get("X-Orchard"), State: core.BuildState(p.Verdict),
		}
	}
	return e, nil
}

// tasting is a gate: each taster that the file .tasters names has to like the
// commit.
type tasting struct{}

func (tasting) Name() string { return "tasting" }

func (tasting) Required(ctx context.Context, _ core.Entry, file func(context.Context, string) ([]byte, error)) (core.Wait, error) {
	text, err := file(ctx, ".tasters")
	if errors.Is(err, core.ErrNotFound) {
		return core.Wait{Reason: "There is no .tasters"}, nil
	}
	if err != nil {
		return core.Wait{}, fmt.Errorf("read .tasters: %w", err)
	}
	return core.Wait{Keys: strings.Fields(string(text)), For: "all tasters", Reason: ".tasters names some"}, nil
}

// withOrchard adds the made-up sender to the world.
func (w *world) withOrchard() *coretest.Forge {
	forge := coretest.NewForge()
	w.options.Providers = append(w.options.Providers, orchardProvider{})
	w.options.Forges[orchard] = forge
	w.options.Gates = append(w.options.Gates, tasting{})
	w.service, w.worker = deploy.New(w.options), deploy.NewWorker(w.options)
	return forge
}

// orchardRequest is a delivery of the orchard that is signed with the user's secret.
func orchardRequest(w *world, id string, p orchardPayload) deploy.Request {
	w.t.Helper()
	p.Grower, p.Tree, p.Branch, p.Apple = w.repo.Owner, w.repo.Name, "main", commit1
	payload, err := json.Marshal(p)
	if err != nil {
		w.t.Fatal(err)
	}
	r := w.request(core.Event{}, "X-Orchard", id, "X-Orchard-Secret", "pip")
	r.Credentials, r.User = nil, "dscape"
	r.Delivery.Body, r.Delivery.Payload = payload, payload
	return r
}

func TestMadeUpForgeAndGate(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		forge := w.withOrchard()
		elsewhere := core.Repository{Forge: orchard, Owner: w.repo.Owner, Name: w.repo.Name} // on GitHub, too
		access := core.NewSecret("access")
		forge.Private(elsewhere, access)
		forge.Commit(elsewhere, commit1, map[string]string{
			"package.json": `{"name":"apple","version":"2.0.0"}`, ".tasters": "sweet ripe",
		})
		for _, token := range []core.ThirdPartyToken{
			{ID: "secret", Provider: core.TokenWebhookSecret, Token: core.NewSecret("pip")},
			{ID: "github", Provider: core.TokenGitHub, App: core.AnyApp, Login: "dscape", Token: core.NewSecret("ghp")},
			{ID: "orchard", Provider: "orchard", Forge: orchard, App: core.AnyApp, Login: "dscape", Token: access},
		} {
			if err := w.accounts.SetToken(w.t.Context(), "dscape", token); err != nil {
				t.Fatal(err)
			}
		}
		w.waiting(commit1)
		w.start()
		push := w.accept(orchardRequest(w, "1", orchardPayload{})).Change.Entry.ID
		held := w.settled(push)
		w.is(held, core.StatusHeld, "Waits for all tasters")
		if held.Hold == nil || held.Hold.Gate != "tasting" || strings.Join(held.Hold.Keys, " ") != "sweet ripe" || held.App != "apple" {
			t.Errorf("got hold %+v, app %q", held.Hold, held.App)
		}

		// The repository of the same name on GitHub is another one: its pushes are in
		// another lane, and its reports decide nothing here.
		github := w.deliver(w.push(commit1))
		w.is(w.settled(github), core.StatusHeld, "Waits for the report of travis")
		w.deliver(w.build(commit1, core.BuildPassed))
		w.is(w.settled(github), core.StatusOK, "")
		w.is(w.settled(push), core.StatusHeld, "")

		// A report of another gate on the same commit of the same repository neither.
		stray := w.build(commit1, core.BuildFailed)
		stray.Repository = elsewhere
		w.deliver(stray)
		w.is(w.settled(push), core.StatusHeld, "")

		// Every key has to pass.
		first := w.accept(orchardRequest(w, "2", orchardPayload{Taster: "sweet", Verdict: "passed"})).Change.Entry.ID
		w.is(w.settled(first), core.StatusOK, "waits for more")
		w.is(w.settled(push), core.StatusHeld, "")
		w.accept(orchardRequest(w, "3", orchardPayload{Taster: "passer-by", Verdict: "failed"}))
		w.is(w.settled(push), core.StatusHeld, "")
		w.accept(orchardRequest(w, "4", orchardPayload{Taster: "ripe", Verdict: "passed"}))
		e := w.settled(push)
		w.is(e, core.StatusOK, "")
		if !strings.HasPrefix(e.Released, "The taster sweet passed, The taster ripe passed") || e.Snapshot != "2.0.0-111111111111" {
			t.Errorf("released by %q, snapshot %q", e.Released, e.Snapshot)
		}
		if got := forge.Statuses(commit1); len(got) != 2 || got[1].State != "success" {
			t.Errorf("statuses on the orchard: %+v", got)
		}
		if got := w.platform.Starts(); len(got) != 2 || got[1] != "dscape/apple/2.0.0-111111111111" {
			t.Errorf("started %v", got)
		}
	})
}

// Reports may come before the push, and one that did not pass skips it.
func TestMadeUpGateFailsAndPasses(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		forge := w.withOrchard()
		forge.Commit(core.Repository{Forge: orchard, Owner: w.repo.Owner, Name: w.repo.Name}, commit1, map[string]string{
			"package.json": `{"name":"apple"}`, ".tasters": "sweet ripe",
		})
		secret := core.ThirdPartyToken{ID: "secret", Provider: core.TokenWebhookSecret, Token: core.NewSecret("pip")}
		if err := w.accounts.SetToken(w.t.Context(), "dscape", secret); err != nil {
			t.Fatal(err)
		}
		w.start()
		early := w.accept(orchardRequest(w, "1", orchardPayload{Taster: "sweet", Verdict: "passed"})).Change.Entry.ID
		w.is(w.settled(early), core.StatusIgnored, "No push waits")
		push := w.accept(orchardRequest(w, "2", orchardPayload{})).Change.Entry.ID
		w.is(w.settled(push), core.StatusHeld, "")
		w.accept(orchardRequest(w, "3", orchardPayload{Taster: "ripe", Verdict: "failed"}))
		w.is(w.settled(push), core.StatusSkipped, "The taster ripe failed")
		// A later report for the same key revives it.
		w.accept(orchardRequest(w, "4", orchardPayload{Taster: "ripe", Verdict: "passed"}))
		w.is(w.settled(push), core.StatusOK, "")
		if got := w.platform.Starts(); len(got) != 1 {
			t.Errorf("started %v", got)
		}
	})
}

// A push of a forge that is not configured is refused, and so is one that only
// looks like GitHub's, as Gitea's do, which carry GitHub's headers too. It is
// never read from another forge that has a repository of that name.
func TestForgeThatIsNotConfigured(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.start()
		event := w.push(commit1)
		event.Repository.Forge = "gitea.example"
		_, err := w.service.Deliver(w.t.Context(), w.request(event, "X-Github-Event", "push"))
		if core.CodeOf(err) != core.CodeForgeUnknown || !strings.Contains(core.AsError(err).Reason, "gitea.example") {
			t.Errorf("got %v, want %s", err, core.CodeForgeUnknown)
		}
		event.Repository.Forge = ""
		_, err = w.service.Deliver(w.t.Context(), w.request(event))
		if core.CodeOf(err) != core.CodeForgeUnknown || !strings.Contains(core.AsError(err).Reason, "does not say") {
			t.Errorf("got %v, want %s", err, core.CodeForgeUnknown)
		}
		nowhere := core.Event{Provider: core.ProviderGitHub, Kind: core.EventPing, Name: "ping"}
		w.is(w.settled(w.deliver(nowhere)), core.StatusOK, "")
	})
}

// If neither the request nor the payload names the branch to deploy, the forge
// does.
func TestForgeNamesTheDefaultBranch(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		branch string // default branch; "" if the forge knows none
		pushed string
		status core.Status
	}{
		"default branch": {"trunk", "trunk", core.StatusOK},
		"another branch": {"trunk", "main", core.StatusIgnored},
		"fallback":       {"", "master", core.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.forge.Fail("DefaultBranch", core.Transient(errors.New("502"), 0))
				w.start()
				if test.branch != "" {
					w.forge.SetDefaultBranch(w.repo, test.branch)
				}
				push := w.push(commit1)
				push.Branch, push.Repository.DefaultBranch = test.pushed, ""
				r := w.request(push)
				r.Target = core.Target{}
				id := w.accept(r).Change.Entry.ID
				w.is(w.settled(id), core.StatusPending, "tried again")
				w.is(w.after(time.Minute, id), test.status, "")
			})
		})
	}
}
