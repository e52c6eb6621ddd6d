package deploy_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

func TestWhoMayDeploy(t *testing.T) {
	t.Parallel()
	good := &core.Credentials{Username: "dscape", Password: core.NewSecret("secret")}
	bad := &core.Credentials{Username: "dscape", Password: core.NewSecret("wrong")}
	secret := core.ThirdPartyToken{ID: "s", Provider: core.TokenWebhookSecret, Token: core.NewSecret("hook")}
	required := secret
	required.Required = true
	for name, test := range map[string]struct {
		credentials *core.Credentials
		user        string
		signed      string
		secret      *core.ThirdPartyToken
		travis      bool // the delivery is Travis', and its key "travis" is known
		code        core.Code
		signature   core.Signature
	}{
		"credentials":                    {credentials: good, signature: core.SignatureNone},
		"nothing":                        {code: core.CodeBadCreds},
		"wrong credentials":              {credentials: bad, code: core.CodeBadCreds},
		"user alone":                     {user: "dscape", code: core.CodeBadCreds},
		"user and signature":             {user: "dscape", signed: "hook", secret: &secret, signature: core.SignatureValid},
		"signature of an unknown user":   {user: "unknown", signed: "hook", code: core.CodeBadCreds},
		"signature without a secret":     {user: "dscape", signed: "hook", code: core.CodeBadCreds},
		"wrong signature":                {user: "dscape", signed: "x", secret: &secret, code: core.CodeBadSignature},
		"wrong signature, credentials":   {credentials: good, signed: "x", secret: &secret, code: core.CodeBadSignature},
		"unchecked signature":            {credentials: good, signed: "x", signature: core.SignatureUnchecked},
		"weak signature":                 {user: "dscape", signed: "weak", secret: &secret, code: core.CodeBadCreds},
		"weak signature, credentials":    {credentials: good, signed: "weak", secret: &secret, signature: core.SignatureWeak},
		"weak signature demanded":        {credentials: good, signed: "weak", secret: &required, code: core.CodeBadSignature},
		"credentials beside the user":    {credentials: good, user: "dscape", signature: core.SignatureNone},
		"credentials of another user":    {credentials: good, user: "other", code: core.CodeBadCreds},
		"signature demanded":             {credentials: good, secret: &required, code: core.CodeBadSignature},
		"invalid user":                   {user: "../x", code: core.CodeDeployParams},
		"travis signed":                  {travis: true, signed: "travis", signature: core.SignatureValid},
		"travis unsigned":                {travis: true, code: core.CodeBadCreds},
		"travis wrong signature":         {travis: true, signed: "x", code: core.CodeBadSignature},
		"travis wrong, good credentials": {travis: true, credentials: good, signed: "x", code: core.CodeBadSignature},
		"travis credentials":             {travis: true, credentials: good, signature: core.SignatureNone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.travisKeys()
				service := deploy.New(w.options)
				if test.secret != nil {
					if err := w.accounts.SetToken(w.t.Context(), "dscape", *test.secret); err != nil {
						t.Fatal(err)
					}
				}
				event := w.push(commit1)
				if test.travis {
					event = w.build(commit1, core.BuildPassed)
				}
				r := w.request(event, "Signed-With", test.signed)
				r.Credentials, r.User = test.credentials, test.user
				receipt, err := service.Deliver(w.t.Context(), r)
				if got := core.CodeOf(err); got != test.code {
					t.Fatalf("got %q (%v), want %q", got, err, test.code)
				}
				if got := receipt.Change.Entry.Signature; got != test.signature {
					t.Errorf("got signature %q, want %q", got, test.signature)
				}
			})
		})
	}
}

// The entry says why a signature was ignored.
func TestIgnoredSignature(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		for signed, want := range map[string]string{"x": "no key", "weak": "SHA-1"} {
			r := w.request(w.push(commit1), "Signed-With", signed, "X-Github-Delivery", signed)
			if notes := w.accept(r).Change.Entry.Notes; len(notes) != 1 || !strings.Contains(notes[0], want) {
				t.Errorf("signed with %q: got notes %q, want %q", signed, notes, want)
			}
		}
		required := core.ThirdPartyToken{ID: "s", Provider: core.TokenWebhookSecret, Token: core.NewSecret("hook"), Required: true}
		if err := w.accounts.SetToken(w.t.Context(), "dscape", required); err != nil {
			t.Fatal(err)
		}
		for signed, want := range map[string]string{"": "has none", "weak": "SHA-1"} {
			_, err := w.service.Deliver(w.t.Context(), w.request(w.push(commit1), "Signed-With", signed))
			if core.CodeOf(err) != core.CodeBadSignature || !strings.Contains(core.AsError(err).Reason, want) {
				t.Errorf("signed with %q: got %v, want %q", signed, err, want)
			}
		}
	})
}

func TestAccountsThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		for _, method := range []string{"Authenticate", "Tokens"} {
			w.accounts.Fail(method, errors.New("refused"))
			_, err := w.service.Deliver(w.t.Context(), w.request(w.push(commit1)))
			if got, want := core.CodeOf(err), core.CodeAuthServerDown; got != want {
				t.Errorf("%s: got %q, want %q", method, got, want)
			}
		}
	})
}

// hanging is Accounts of which one method never answers.
type hanging struct {
	deploy.Accounts
	method string
}

func (h hanging) Authenticate(ctx context.Context, c core.Credentials) (core.Account, error) {
	if h.method != "Authenticate" {
		<-time.After(2 * time.Second)
		return h.Accounts.Authenticate(ctx, c)
	}
	<-ctx.Done()
	return core.Account{}, ctx.Err()
}

func (h hanging) Tokens(ctx context.Context, _ string, _ bool) ([]core.ThirdPartyToken, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// Accounts that take for ever are given up, all calls together in 3 s: the
// sender waits for 10.
func TestAccountsThatHang(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Authenticate", "Tokens"} {
		inWorld(t, func(w *world) {
			w.options.Accounts = hanging{w.accounts, method}
			began := time.Now()
			_, err := deploy.New(w.options).Deliver(w.t.Context(), w.request(w.push(commit1)))
			if got, want := core.CodeOf(err), core.CodeAuthServerDown; got != want {
				t.Errorf("%s: got %q, want %q", method, got, want)
			}
			if took := time.Since(began); took != 3*time.Second {
				t.Errorf("%s: it took %s", method, took)
			}
		})
	}
}

func TestUnknownPayload(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		r := w.request(core.Event{})
		if _, err := w.service.Deliver(w.t.Context(), r); core.CodeOf(err) != core.CodeProviderNotSupported {
			t.Errorf("got %v", err)
		}
		r.Credentials = nil
		if _, err := w.service.Deliver(w.t.Context(), r); core.CodeOf(err) != core.CodeBadCreds {
			t.Errorf("without credentials: got %v", err)
		}
	})
}

// A token that GitHub refuses is noted, and a public repository
// is deployed all the same.
func TestRevokedTokenDoesNotStopAPublicDeployment(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		err := w.accounts.SetToken(w.t.Context(), "dscape", core.ThirdPartyToken{ID: "g", Provider: core.TokenGitHub, App: core.AnyApp, Token: core.NewSecret("gho")})
		if err != nil {
			t.Fatal(err)
		}
		w.forge.Fail("File", core.ErrUnauthorized)
		w.start()
		e := w.settled(w.deliver(w.push(commit1)))
		w.is(e, core.StatusOK, "")
		if len(e.Notes) != 1 {
			t.Errorf("got notes %q", e.Notes)
		}
		if got := w.forge.Statuses(commit1); len(got) != 2 || got[0].State != "pending" || got[1].State != "success" {
			t.Errorf("got statuses %+v", got)
		}
	})
}

// A token for one app can't read the repository: the app is not known yet.
func TestPrivateRepositoryNeedsATokenForAllApps(t *testing.T) {
	t.Parallel()
	for app, want := range map[string]core.Status{core.AnyApp: core.StatusOK, "hello": core.StatusError} {
		inWorld(t, func(w *world) {
			w.forge.Private(w.repo, core.NewSecret("gho"))
			err := w.accounts.SetToken(w.t.Context(), "dscape", core.ThirdPartyToken{ID: "g", Provider: core.TokenGitHub, App: app, Token: core.NewSecret("gho")})
			if err != nil {
				t.Fatal(err)
			}
			w.start()
			w.is(w.settled(w.deliver(w.push(commit1))), want, "")
		})
	}
}

// stale are Accounts that remember a secret from before, unless asked anew.
type stale struct {
	deploy.Accounts
	before core.ThirdPartyToken
}

func (s stale) Tokens(ctx context.Context, user string, fresh bool) ([]core.ThirdPartyToken, error) {
	if !fresh {
		return []core.ThirdPartyToken{s.before}, nil
	}
	return s.Accounts.Tokens(ctx, user, fresh)
}

// A secret that was set just now is one from the first delivery on.
func TestSecretThatIsNew(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		before := core.ThirdPartyToken{ID: "s", Provider: core.TokenWebhookSecret, Token: core.NewSecret("before")}
		after := before
		after.Token = core.NewSecret("after")
		if err := w.accounts.SetToken(w.t.Context(), "dscape", after); err != nil {
			t.Fatal(err)
		}
		w.options.Accounts = stale{w.accounts, before}
		service := deploy.New(w.options)
		for signed, want := range map[string]core.Code{"after": "", "wrong": core.CodeBadSignature} {
			r := w.request(w.push(commit1), "Signed-With", signed)
			r.Credentials, r.User = nil, "dscape"
			if _, err := service.Deliver(w.t.Context(), r); core.CodeOf(err) != want {
				t.Errorf("signed with the secret %s: %v, want %q", signed, err, want)
			}
		}
	})
}
