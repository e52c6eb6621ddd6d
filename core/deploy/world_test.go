package deploy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/textproto"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest"
	"github.com/nodejitsu/webhooks/core/deploy"
)

const (
	commit1 = "1111111111111111111111111111111111111111"
	commit2 = "2222222222222222222222222222222222222222"
	commit3 = "3333333333333333333333333333333333333333"
	waits   = "notifications: webhook"
)

// plain is a provider whose payload is the event itself, as JSON.
type plain core.Provider

func (p plain) Name() core.Provider { return core.Provider(p) }
func (p plain) Recognize(d core.Delivery) bool {
	return strings.Contains(string(d.Payload), `"Provider":"`+string(p)+`"`)
}

func (plain) Resembles(core.Delivery) bool { return false }

// DeliveryID returns the id of GitHub's header; reports of builds have none.
func (p plain) DeliveryID(d core.Delivery) (string, bool) {
	if p == plain(core.ProviderTravis) {
		return "", false
	}
	return d.Header.Get("X-Github-Delivery"), false
}

func (p plain) Verify(d core.Delivery, keys []core.Secret) (core.Signature, int) {
	signed := d.Header.Get("Signed-With")
	switch {
	case signed == "":
		return core.SignatureNone, -1
	case signed == "weak":
		return core.SignatureWeak, -1
	case len(keys) == 0:
		return core.SignatureUnchecked, -1
	}
	for i, key := range keys {
		if key.Reveal() == signed {
			return core.SignatureValid, i
		}
	}
	return core.SignatureInvalid, -1
}

// Changed reports whether the event of a push has a file that matches in its commit's
// message, which lists the files.
func (plain) Changed(d core.Delivery, match func(string) bool) (changed, complete bool) {
	var event core.Event
	if err := json.Unmarshal(d.Payload, &event); err != nil || event.Commit.Message == "" {
		return false, false
	}
	return slices.ContainsFunc(strings.Fields(event.Commit.Message), match), true
}

func (p plain) Parse(d core.Delivery) (core.Event, error) {
	var event core.Event
	if err := json.Unmarshal(d.Payload, &event); err != nil {
		return core.Event{}, core.NewError(core.CodeProviderNotSupported, "", err)
	}
	return event, nil
}

// keys are public keys of a provider.
type keys func(ctx context.Context, missed bool) ([]core.Secret, error)

func (k keys) Keys(ctx context.Context, missed bool) ([]core.Secret, error) { return k(ctx, missed) }

// travisKeys makes the key "travis" Travis CI's.
func (w *world) travisKeys() {
	w.options.Keys = map[core.Provider]deploy.KeySource{core.ProviderTravis: keys(func(context.Context, bool) ([]core.Secret, error) {
		return []core.Secret{core.NewSecret("travis")}, nil
	})}
	w.service = deploy.New(w.options)
}

// gate is a gate that a push has to pass if a file of the commit says so.
type gate struct {
	name, path string
	keys       []string
	err        error // of reading what the file says
}

func (g gate) Name() string { return g.name }

func (g gate) Required(ctx context.Context, push core.Entry, file func(context.Context, string) ([]byte, error)) (core.Wait, error) {
	text, err := file(ctx, g.path)
	switch {
	case errors.Is(err, core.ErrNotFound):
		return core.Wait{Reason: "There is no " + g.path}, nil
	case err != nil:
		return core.Wait{}, err
	case g.err != nil:
		return core.Wait{Note: "unreadable: " + g.err.Error(), Reason: "It is unreadable"}, nil
	case string(text) != waits:
		return core.Wait{Reason: "read"}, nil
	}
	wait := core.Wait{Keys: g.keys, For: "the report of " + g.name, Reason: "read"}
	if push.SkipsCI {
		wait.Never = "The push asks " + g.name + " to build nothing"
	}
	return wait, nil
}

// world is a Service and its Worker among fakes, within a synctest bubble.
type world struct {
	t        *testing.T
	store    *coretest.Memory
	forge    *coretest.Forge
	platform *coretest.Platform
	accounts *coretest.Accounts
	options  deploy.Options
	service  *deploy.Service
	worker   *deploy.Worker
	repo     core.Repository
}

// inWorld runs f in a bubble whose clock moves only when all wait.
func inWorld(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			t: t, store: coretest.NewMemory(nil, 0), forge: coretest.NewForge(),
			platform: coretest.NewPlatform(), accounts: coretest.NewAccounts(),
			repo: core.Repository{Forge: core.GitHubHost, Owner: "dscape", Name: "hello", DefaultBranch: "main"},
		}
		w.accounts.AddUser("dscape", core.NewSecret("secret"))
		for _, commit := range []string{commit1, commit2, commit3} {
			w.forge.Commit(w.repo, commit, map[string]string{"package.json": `{"name":"hello","version":"1.0.0"}`})
		}
		var ids atomic.Int64
		w.options = deploy.Options{
			Providers: []deploy.Provider{plain(core.ProviderGitHub), plain(core.ProviderTravis)},
			Forges:    map[string]deploy.Forge{core.GitHubHost: w.forge},
			Gates:     []deploy.Gate{gate{name: "travis", path: ".travis.yml", keys: []string{"build"}}},
			Store:     w.store, Queue: w.store, Watcher: w.store,
			Accounts: w.accounts, Platform: w.platform,
			NewID: func() string { return fmt.Sprintf("%032x", ids.Add(1)) },
		}
		w.service, w.worker = deploy.New(w.options), deploy.NewWorker(w.options)
		f(w)
		w.stop()
	})
}

// pair gives the user an access token of the forge.
func (w *world) pair() {
	w.t.Helper()
	err := w.accounts.SetToken(w.t.Context(), "dscape", core.ThirdPartyToken{
		ID: "github", Provider: core.TokenGitHub, App: core.AnyApp, Login: "dscape", Token: core.NewSecret("token"),
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) start() {
	w.t.Helper()
	if err := w.worker.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) stop() {
	if err := w.worker.Stop(w.t.Context()); err != nil {
		w.t.Error(err)
	}
}

// waiting gives commits a .travis.yml that says to wait.
func (w *world) waiting(commits ...string) {
	for _, commit := range commits {
		w.forge.Commit(w.repo, commit, map[string]string{
			"package.json": `{"name":"hello","version":"1.0.0"}`, ".travis.yml": waits,
		})
	}
}

func (w *world) push(commit string) core.Event {
	return core.Event{
		Provider: core.ProviderGitHub, Kind: core.EventPush, Name: "push", Repository: w.repo,
		Ref: "refs/heads/main", Branch: "main", Commit: core.Commit{ID: commit}, Commits: []string{commit},
	}
}

func (w *world) build(commit string, state core.BuildState) core.Event {
	return core.Event{
		Provider: core.ProviderTravis, Kind: core.EventBuild, Name: "push",
		Repository: core.Repository{Forge: w.repo.Forge, Owner: w.repo.Owner, Name: w.repo.Name}, Branch: "main",
		Commit: core.Commit{ID: commit}, Commits: []string{commit},
		Build: core.Build{
			Gate: "travis", Key: "build", Name: "Travis CI's build 1", Deploys: true,
			ID: "1", Number: "1", State: state, Type: "push",
		},
	}
}

// request is a delivery of event by its user, with Basic auth.
func (w *world) request(event core.Event, headers ...string) deploy.Request {
	w.t.Helper()
	payload, err := json.Marshal(event)
	if err != nil {
		w.t.Fatal(err)
	}
	header := textproto.MIMEHeader{}
	for i := 0; i < len(headers); i += 2 {
		header.Set(headers[i], headers[i+1])
	}
	return deploy.Request{
		UUID: "u", Credentials: &core.Credentials{Username: "dscape", Password: core.NewSecret("secret")}, Target: core.Target{Branch: "main"},
		Delivery: core.Delivery{Header: header, Body: payload, Payload: payload},
	}
}

func (w *world) deliver(event core.Event, headers ...string) string {
	w.t.Helper()
	return w.accept(w.request(event, headers...)).Change.Entry.ID
}

func (w *world) accept(r deploy.Request) deploy.Receipt {
	w.t.Helper()
	receipt, err := w.service.Deliver(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return receipt
}

// settled lets everything go on that can without time passing, and returns
// the entry.
func (w *world) settled(id string) core.Entry {
	w.t.Helper()
	synctest.Wait()
	change, err := w.store.Find(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return change.Entry
}

// after lets d pass and returns the entry.
func (w *world) after(d time.Duration, id string) core.Entry {
	w.t.Helper()
	<-time.After(d)
	return w.settled(id)
}

func (w *world) is(e core.Entry, status core.Status, reason string) {
	w.t.Helper()
	if e.Status != status || !strings.Contains(e.Reason, reason) {
		w.t.Errorf("entry %s: got %s (%s), want %s (%s); steps %+v", e.ID, e.Status, e.Reason, status, reason, e.Steps)
	}
}
