package connect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/connect"
	"github.com/nodejitsu/webhooks/core/coretest"
)

// forge is a forge with one webhook at most.
type forge struct {
	hook  connect.Hook
	id    string
	fails error
	asked []string // for deliveries

	listed []connect.ListedHook // besides hook
	looked []string             // repositories whose webhooks were listed
}

func (f *forge) Hooks(_ context.Context, r core.Repository, _ core.Secret) ([]connect.ListedHook, error) {
	f.looked = append(f.looked, r.Key())
	listed := f.listed
	if f.id != "" {
		listed = append(slices.Clone(listed), connect.ListedHook{ID: f.id, URL: f.hook.URL})
	}
	return listed, f.fails
}

func (f *forge) SetHook(_ context.Context, _ core.Repository, id string, h connect.Hook, _ core.Secret) (string, []string, error) {
	if id == "" {
		id = "7"
	}
	f.id, f.hook = id, h
	return id, []string{"push"}, nil
}

func (f *forge) TestHook(context.Context, core.Repository, connect.ListedHook, core.Secret) (bool, int, error) {
	return true, 200, f.fails
}

func (f *forge) Redeliver(_ context.Context, r core.Repository, id string, missed bool, token core.Secret) (int, error) {
	f.asked = append(f.asked, fmt.Sprintf("%s %s %t %s", r.Key(), id, missed, token.Reveal()))
	return 3, f.fails
}

func setup(t *testing.T) (*connect.Service, *forge, *coretest.Accounts) {
	t.Helper()
	f, accounts := &forge{}, coretest.NewAccounts()
	accounts.AddUser("dscape", core.NewSecret("secret"))
	return connect.New(connect.Options{
		Accounts: accounts, Forges: map[string]connect.Forge{core.GitHubHost: f}, Kinds: map[string]string{"github": core.GitHubHost},
		Secret: func() core.Secret { return core.NewSecret("made") },
	}), f, accounts
}

func pair(t *testing.T, accounts *coretest.Accounts) {
	t.Helper()
	token := core.ThirdPartyToken{ID: "github-account", Provider: core.TokenGitHub, App: core.AnyApp, Login: "dscape", Token: core.NewSecret("t")}
	if err := accounts.SetToken(t.Context(), "dscape", token); err != nil {
		t.Fatal(err)
	}
}

func TestConnect(t *testing.T) {
	t.Parallel()
	s, f, accounts := setup(t)
	pair(t, accounts)
	r := connect.Request{Kind: "github", Repository: "dscape/hello", Base: "https://hooks.example.com", Target: core.Target{App: "staging", Gate: "checks"}}
	got, err := s.Connect(t.Context(), "dscape", r)
	if err != nil || !got.Created || !got.Tested || got.Status != 200 || got.ID != "7" {
		t.Fatalf("got %+v, %v", got, err)
	}
	if !strings.HasPrefix(got.URL, "https://hooks.example.com/1/deploy?user=dscape&hook=dscape.hello-staging-") || f.hook.URL != got.URL || !f.hook.Checks {
		t.Errorf("got %+v, the webhook is %+v", got, f.hook)
	}
	// Once more it changes the same webhook, and what its secret is for.
	r.Target.Gate = core.GateNone
	again, err := s.Connect(t.Context(), "dscape", r)
	if err != nil || again.Created || again.Secret != got.Secret || f.hook.Checks || f.hook.Secret.Reveal() != "made" {
		t.Errorf("got %+v, %v, the webhook is %+v", again, err, f.hook)
	}
	tokens, _ := accounts.Tokens(t.Context(), "dscape", true)
	if len(tokens) != 2 || tokens[1].ID != got.Secret || !tokens[1].Target.Equal(r.Target) {
		t.Errorf("got %+v", tokens)
	}
	r.Check = true
	if checked, err := s.Connect(t.Context(), "dscape", r); err != nil || checked.Again != 3 {
		t.Errorf("got %+v, %v", checked, err)
	}
	// Another app of the repository has a webhook of its own.
	r.Target.App, r.Check = "production", false
	if other, err := s.Connect(t.Context(), "dscape", r); err != nil || !other.Created || other.URL == got.URL {
		t.Errorf("got %+v, %v", other, err)
	}
}

// pinger is a forge that sends tests and does not say how they were answered.
type pinger struct {
	connect.Forge
	none  bool
	pings int
	sends func()
}

func (p *pinger) PingHook(context.Context, core.Repository, string, core.Secret) (bool, error) {
	if p.none {
		return false, nil
	}
	p.pings++
	p.sends()
	return true, nil
}

// What became of a test is seen by its entry.
func TestPing(t *testing.T) {
	t.Parallel()
	repo := core.Repository{Forge: core.GitHubHost, Owner: "dscape", Name: "hello"}
	for why, test := range map[string]struct {
		none   bool
		known  entries
		comes  *core.Entry
		tested bool
		status int
		pings  int
	}{
		"it arrives":          {known: entries{{Kind: core.EventPush, Repository: repo}}, comes: &core.Entry{Kind: core.EventPing, Repository: repo}, tested: true, status: 200, pings: 1},
		"it does not":         {known: entries{}, tested: true, pings: 1},
		"another one arrives": {known: entries{}, comes: &core.Entry{Kind: core.EventPing}, tested: true, pings: 1},
		"it arrived before":   {known: entries{{Kind: core.EventPing, Repository: repo}}},
		"there is no test":    {none: true, known: entries{}},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, f, accounts := setup(t)
			pair(t, accounts)
			log := &test.known
			p := &pinger{Forge: unlisted{f}, none: test.none, sends: func() {
				if test.comes != nil {
					*log = append(*log, *test.comes)
				}
			}}
			s := connect.New(connect.Options{
				Accounts: accounts, Forges: map[string]connect.Forge{core.GitHubHost: p}, Kinds: map[string]string{"github": core.GitHubHost},
				Secret: func() core.Secret { return core.NewSecret("made") }, Repositories: log,
			})
			r := connect.Request{Kind: "github", Repository: "dscape/hello", Base: "https://hooks.example.com"}
			got, err := s.Connect(t.Context(), "dscape", r)
			if err != nil || got.Tested != test.tested || got.Status != test.status || p.pings != test.pings {
				t.Errorf("%s: got %+v, %v after %d tests", why, got, err, p.pings)
			}
		})
	}
}

// sampler is a forge whose test is answered with a status, or that has none.
type sampler struct {
	connect.Forge
	sent   bool
	status int
}

func (f sampler) TestHook(context.Context, core.Repository, connect.ListedHook, core.Secret) (bool, int, error) {
	return f.sent, f.status, nil
}

func (sampler) Sample(r core.Repository, secret core.Secret) (http.Header, []byte) {
	return http.Header{"X-Signed-With": {secret.Reveal()}}, []byte(r.Slug())
}

// poster answers posts.
type poster struct {
	status int
	ours   bool
	fails  error
	posts  []string
}

func (p *poster) Post(_ context.Context, to string, h http.Header, body []byte) (int, http.Header, error) {
	p.posts = append(p.posts, fmt.Sprintf("%s %s %s", to, h.Get("X-Signed-With"), body))
	answer := http.Header{}
	if p.ours {
		answer.Set("X-Api-Uuid", "x")
	}
	return p.status, answer, p.fails
}

// A test that the forge does not send, or that failed, is sent from here.
func TestOwnTest(t *testing.T) {
	t.Parallel()
	for why, test := range map[string]struct {
		sent   bool
		status int
		post   *poster
		own    bool
		want   int
	}{
		"the forge's succeeded":           {sent: true, status: 200, post: &poster{status: 200, ours: true}},
		"the forge has none":              {post: &poster{status: 200, ours: true}, own: true, want: 200},
		"the forge got no answer":         {sent: true, post: &poster{status: 200, ours: true}, own: true, want: 200},
		"the forge does not sign its own": {sent: true, status: 401, post: &poster{status: 200, ours: true}, own: true, want: 200},
		"the secret is another":           {post: &poster{status: 401, ours: true}, own: true, want: 401},
		"another server answers":          {post: &poster{status: 200}, own: true},
		"no server answers":               {post: &poster{fails: errors.New("connection refused")}, own: true},
		"the address is not public":       {post: &poster{fails: fmt.Errorf("refused: %w", core.ErrForbidden)}},
	} {
		_, f, accounts := setup(t)
		pair(t, accounts)
		s := connect.New(connect.Options{
			Accounts: accounts, Forges: map[string]connect.Forge{core.GitHubHost: sampler{f, test.sent, test.status}}, Kinds: map[string]string{"github": core.GitHubHost},
			Secret: func() core.Secret { return core.NewSecret("made") }, Poster: test.post,
		})
		got, err := s.Connect(t.Context(), "dscape", connect.Request{Kind: "github", Repository: "dscape/hello", Base: "https://hooks.example.com"})
		if err != nil || got.Tested != test.sent || got.Status != test.status || got.OwnTest != test.own || got.OwnStatus != test.want {
			t.Errorf("%s: got %+v, %v", why, got, err)
		}
		var want []string
		if !test.sent || test.status != 200 {
			want = []string{got.URL + " made dscape/hello"}
		}
		if !slices.Equal(test.post.posts, want) {
			t.Errorf("%s: posted %q, want %q", why, test.post.posts, want)
		}
	}
}

// unlisted is a forge that lists no deliveries.
type unlisted struct{ connect.Forge }

// A forge that lists no deliveries is connected without a test, and has no check.
func TestForgeWithoutDeliveries(t *testing.T) {
	t.Parallel()
	_, f, accounts := setup(t)
	pair(t, accounts)
	s := connect.New(connect.Options{
		Accounts: accounts, Forges: map[string]connect.Forge{core.GitHubHost: unlisted{f}}, Kinds: map[string]string{"github": core.GitHubHost},
		Secret: func() core.Secret { return core.NewSecret("made") },
	})
	r := connect.Request{Kind: "github", Repository: "dscape/hello", Base: "https://hooks.example.com"}
	if got, err := s.Connect(t.Context(), "dscape", r); err != nil || got.Tested || !got.Created {
		t.Errorf("got %+v, %v", got, err)
	}
	r.Check = true
	if _, err := s.Connect(t.Context(), "dscape", r); !strings.Contains(core.AsError(err).Reason, "does not list its deliveries") {
		t.Errorf("got %v", err)
	}
	s.Missed(t.Context())
	if len(f.asked) > 0 {
		t.Errorf("asked for %q", f.asked)
	}
}

func TestConnectFails(t *testing.T) {
	t.Parallel()
	s, f, accounts := setup(t)
	r := connect.Request{Kind: "github", Repository: "dscape/hello", Base: "https://hooks.example.com"}
	wants := func(why string, r connect.Request, code core.Code, text string) {
		t.Helper()
		if _, err := s.Connect(t.Context(), "dscape", r); core.CodeOf(err) != code || !strings.Contains(core.AsError(err).Reason, text) {
			t.Errorf("%s: got %v, want %s with %q", why, err, code, text)
		}
	}
	wants("not paired", r, core.CodeNotPaired, "github.com")
	pair(t, accounts)
	other := r
	other.Kind = "gitlab"
	wants("another kind", other, core.CodeAuthForgeUnknown, "gitlab")
	for _, name := range []string{"", "hello", "../hello", "dscape/", "/hello"} {
		other = r
		other.Repository = name
		wants("repository "+name, other, core.CodeConnectParams, "OWNER/NAME")
	}
	other = r
	other.Check = true
	wants("check before it is connected", other, core.CodeConnectFailed, "connect it first")
	f.fails = core.ErrForbidden
	wants("forbidden", r, core.CodeConnectFailed, "may not manage its webhooks")
	f.fails = core.ErrUnauthorized
	wants("refused", r, core.CodeConnectFailed, "pair your account again")
}

// What was missed is asked for with the account that is paired, for the webhooks that
// were made from here, and for no others.
func TestMissed(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	f, accounts := &forge{}, coretest.NewAccounts()
	for _, user := range []string{"dscape", "unpaired", "other"} {
		accounts.AddUser(user, core.NewSecret("secret"))
	}
	s := connect.New(connect.Options{
		Accounts: accounts, Forges: map[string]connect.Forge{core.GitHubHost: f}, Kinds: map[string]string{"github": core.GitHubHost},
		Secret: func() core.Secret { return core.NewSecret("made") }, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	pair(t, accounts)
	if _, err := s.Connect(t.Context(), "dscape", connect.Request{Kind: "github", Repository: "dscape/hello", Base: "https://hooks.example.com"}); err != nil {
		t.Fatal(err)
	}
	for user, hook := range map[string]*core.Webhook{
		"unpaired": {Forge: core.GitHubHost, Repository: "unpaired/hello", ID: "8"},
		"dscape":   {Forge: "removed.example.com", Repository: "dscape/hello", ID: "9"},
		"other":    nil,
	} {
		secret := core.ThirdPartyToken{ID: "by hand", Provider: core.TokenWebhookSecret, App: core.AnyApp, Token: core.NewSecret("s"), Webhook: hook}
		if err := accounts.SetToken(t.Context(), user, secret); err != nil {
			t.Fatal(err)
		}
	}
	s.Missed(t.Context())
	if want := []string{"github.com/dscape/hello 7 true t"}; !slices.Equal(f.asked, want) {
		t.Errorf("asked for %q, want %q", f.asked, want)
	}
	if !strings.Contains(log.String(), `msg="missed deliveries requested again" user=dscape forge=github.com repo=dscape/hello`) || !strings.Contains(log.String(), "redelivered=3") {
		t.Errorf("logged %s", log.String())
	}
	f.fails = core.ErrForbidden
	s.Missed(t.Context())
	accounts.Fail("Users", errors.New("the platform is down"))
	s.Missed(t.Context())
	if !strings.Contains(log.String(), "missed deliveries not read") || !strings.Contains(log.String(), "missed deliveries not looked for") || strings.Contains(log.String(), "made") {
		t.Errorf("logged %s", log.String())
	}
}

// entries are those of every user.
type entries []core.Entry

func (e entries) Entries(context.Context, string, string, int, int) ([]core.Entry, int, error) {
	if e == nil {
		return nil, 0, errors.New("the store is down")
	}
	return e, len(e), nil
}

// Webhooks that were made by hand are found in the repositories that deliveries came
// from, by their URL.
func TestMissedByHand(t *testing.T) {
	t.Parallel()
	_, f, accounts := setup(t)
	pair(t, accounts)
	made := core.Webhook{Forge: core.GitHubHost, Repository: "dscape/hello", ID: "7"}
	secret := core.ThirdPartyToken{ID: "made", Provider: core.TokenWebhookSecret, App: core.AnyApp, Token: core.NewSecret("s"), Webhook: &made}
	if err := accounts.SetToken(t.Context(), "dscape", secret); err != nil {
		t.Fatal(err)
	}
	f.listed = []connect.ListedHook{
		{ID: "1", URL: "https://hooks.example.com/1/deploy?user=dscape&branch=staging"},
		{ID: "2", URL: "https://dscape:password@HOOKS.example.com/"},
		{ID: "3", URL: "https://hooks.example.com/1/deploy?user=other"},
		{ID: "4", URL: "https://ci.example.com/1/deploy?user=dscape"},
		{ID: "5", URL: "https://hooks.example.com/dscape/hello.png?user=dscape"},
		{ID: "6", URL: "%"},
		{ID: "7", URL: "https://hooks.example.com/?user=dscape"},
	}
	repo := core.Repository{Forge: core.GitHubHost, Owner: "dscape", Name: "hello"}
	var log bytes.Buffer
	o := connect.Options{
		Accounts: accounts, Forges: map[string]connect.Forge{core.GitHubHost: f, "codeberg.org": unlisted{f}}, Base: "https://hooks.example.com/",
		Repositories: entries{{}, {Repository: repo}, {Repository: repo}, {Repository: core.Repository{Forge: "codeberg.org", Owner: "a", Name: "b"}}},
		Logger:       slog.New(slog.NewTextHandler(&log, nil)),
	}
	connect.New(o).Missed(t.Context())
	want := []string{"github.com/dscape/hello 7 true t", "github.com/dscape/hello 1 true t", "github.com/dscape/hello 2 true t"}
	if !slices.Equal(f.asked, want) || !slices.Equal(f.looked, []string{repo.Key()}) {
		t.Errorf("asked for %q, want %q; listed those of %q", f.asked, want, f.looked)
	}
	if strings.Contains(log.String(), "password") {
		t.Errorf("logged %s", log.String())
	}

	for _, without := range []func(*connect.Options){func(o *connect.Options) { o.Base = "" }, func(o *connect.Options) { o.Repositories = nil }, func(o *connect.Options) { o.Repositories = entries(nil) }} {
		f.asked, f.looked = nil, nil
		other := o
		without(&other)
		connect.New(other).Missed(t.Context())
		if len(f.looked) > 0 || !slices.Equal(f.asked, want[:1]) {
			t.Errorf("asked for %q, listed those of %q", f.asked, f.looked)
		}
	}
	if !strings.Contains(log.String(), "repositories not looked up") {
		t.Errorf("logged %s", log.String())
	}
	// It is not a failure if an account may not manage the webhooks of a repository.
	log.Reset()
	if f.fails = core.ErrForbidden; accounts.RemoveToken(t.Context(), "dscape", "made") != nil {
		t.Fatal("the secret is not removed")
	}
	connect.New(o).Missed(t.Context())
	if log.String() != "" {
		t.Errorf("logged %s", log.String())
	}
}
