package connect

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Options configure a Service. All but Base, Repositories, Poster, Timeout and Logger are
// required.
type Options struct {
	Accounts Accounts
	Forges   map[string]Forge   // by host
	Kinds    map[string]string  // the first host of a kind, such as "github"
	Secret   func() core.Secret // a new secret for a webhook

	// Base is the URL of this service, and Repositories has the entries of users:
	// webhooks that were made by hand are recognized by both. Without them only
	// those that Connect made are looked at for missed deliveries.
	Base         string
	Repositories Repositories

	// Poster sends the tests of webhooks that their forge does not send. Without it there
	// are none.
	Poster Poster

	Timeout time.Duration // for one webhook; 30 s
	Logger  *slog.Logger  // default: discards
}

// Service connects repositories. It may be used concurrently.
type Service struct{ o Options }

// New returns a Service.
func New(o Options) *Service {
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{o}
}

// Request is what is to be connected.
type Request struct {
	Kind       string      // of the forge, such as "github"
	Host       string      // of the forge; "" is the first one of the kind
	Repository string      // "owner/name"
	Target     core.Target // what the webhook deploys
	Base       string      // URL of this service, which the forge reaches
	Check      bool        // change nothing, but have delivered what was missed
}

// Result is what was found or done.
type Result struct {
	URL     string   // of the webhook
	ID      string   // of the webhook on the forge
	Secret  string   // name of the user's webhook secret; "" after a check
	Created bool     // the webhook is new
	Events  []string // that it sends; nil after a check
	// Tested is set if the forge sent a test; Status is that of our answer, 0 if none was
	// seen.
	Tested bool
	Status int
	// OwnTest is set if this service sent a test to the URL in the place of the forge, as
	// that sends none or did not get an answer of 2xx. OwnStatus is that of its answer, 0
	// if there was none or it was not one of this service.
	OwnTest   bool
	OwnStatus int
	Again     int // deliveries that were sent again
}

// Connect makes the webhook of a repository or changes it, or checks it. It fails with
// [core.CodeAuthForgeUnknown], [core.CodeConnectParams], [core.CodeNotPaired],
// [core.CodeConnectFailed], [core.CodeGetUserFailed] and [core.CodeUpdateUserFailed].
func (s *Service) Connect(ctx context.Context, user string, r Request) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	host := cmp.Or(r.Host, s.o.Kinds[r.Kind])
	forge := s.o.Forges[host]
	if forge == nil || s.o.Kinds[r.Kind] == "" {
		return Result{}, core.Errorf(core.CodeAuthForgeUnknown, "%s: %.200q. %s",
			core.Reason(core.CodeAuthForgeUnknown), cmp.Or(r.Host, r.Kind), core.Remedy(core.CodeAuthForgeUnknown))
	}
	repo := core.Repository{Forge: host}
	repo.Owner, repo.Name = cutLast(r.Repository)
	if !core.ValidRepositoryOwner(repo.Owner) || !core.ValidRepositoryPart(repo.Name) {
		return Result{}, core.Errorf(core.CodeConnectParams, "%s: want repository=OWNER/NAME", core.Reason(core.CodeConnectParams))
	}
	tokens, err := s.o.Accounts.Tokens(ctx, user, true)
	if err != nil {
		return Result{}, core.NewError(core.CodeGetUserFailed, "", err)
	}
	token := accessToken(tokens, repo, r.Target.App)
	if token.IsZero() {
		return Result{}, core.Errorf(core.CodeNotPaired, "%s, %s. %s", core.Reason(core.CodeNotPaired), host, core.Remedy(core.CodeNotPaired))
	}
	name := secretName(repo, r.Target)
	// The parameter hook makes the URL that of this webhook alone: a repository may have
	// several, and what each deploys is fixed for its secret.
	result := Result{URL: strings.TrimSuffix(r.Base, "/") + "/1/deploy?user=" + url.QueryEscape(user) + "&hook=" + url.QueryEscape(name)}
	hooks, err := forge.Hooks(ctx, repo, token)
	if err != nil {
		return Result{}, failed("list the webhooks", host, err)
	}
	if i := slices.IndexFunc(hooks, func(h ListedHook) bool { return h.URL == result.URL }); i >= 0 {
		result.ID = hooks[i].ID
	}
	if r.Check {
		return s.check(ctx, forge, repo, result, token)
	}
	// The forge sends the first delivery as soon as the webhook is made, so its secret is
	// stored before.
	secret, err := s.secret(ctx, user, tokens, name, r.Target)
	if err != nil {
		return Result{}, err
	}
	result.Secret, result.Created = name, result.ID == ""
	hook := Hook{URL: result.URL, Secret: secret.Token, Checks: r.Target.Gate != "" && r.Target.Gate != core.GateNone}
	if result.ID, result.Events, err = forge.SetHook(ctx, repo, result.ID, hook, token); err != nil {
		return Result{}, failed("set the webhook", host, err)
	}
	made := core.Webhook{Forge: host, Repository: repo.Slug(), ID: result.ID}
	if secret.Webhook == nil || *secret.Webhook != made {
		secret.Webhook = &made
		if err := s.o.Accounts.SetToken(ctx, user, secret); err != nil {
			return Result{}, core.NewError(core.CodeUpdateUserFailed, "", err)
		}
	}
	hooked := ListedHook{result.ID, result.URL}
	if result.Tested, result.Status, err = s.test(ctx, user, forge, repo, hooked, token); err != nil {
		return Result{}, failed("test the webhook", host, err)
	}
	if result.Status/100 != 2 {
		result.OwnTest, result.OwnStatus = s.ownTest(ctx, user, forge, repo, hooked, secret.Token)
	}
	return result, nil
}

// check asks for the deliveries that were missed.
func (s *Service) check(ctx context.Context, forge Forge, repo core.Repository, result Result, token core.Secret) (Result, error) {
	if result.ID == "" {
		return Result{}, core.Errorf(core.CodeConnectFailed, "%s: %s has no webhook for it; connect it first", core.Reason(core.CodeConnectFailed), repo.Slug())
	}
	deliveries, lists := forge.(Deliveries)
	if !lists {
		return Result{}, core.Errorf(core.CodeConnectFailed, "%s: %s does not list its deliveries; see them in the settings of the webhook",
			core.Reason(core.CodeConnectFailed), repo.Forge)
	}
	again, err := deliveries.Redeliver(ctx, repo, result.ID, false, token)
	if err != nil {
		return Result{}, failed("read the deliveries", repo.Forge, err)
	}
	result.Again = again
	return result, nil
}

// failed returns the failure of a call of a forge.
func failed(doing, host string, err error) error {
	what := "it did not answer as expected; try again later"
	switch {
	case errors.Is(err, core.ErrUnauthorized):
		what = "it refuses the access token that we keep for you; pair your account again"
	case errors.Is(err, core.ErrForbidden), errors.Is(err, core.ErrNotFound):
		what = "the repository does not exist, or your access token may not manage its webhooks (on GitHub: admin:repo_hook, or the permission Webhooks)"
	}
	return core.NewError(core.CodeConnectFailed, fmt.Sprintf("%s: could not %s on %s: %s", core.Reason(core.CodeConnectFailed), doing, host, what), err)
}

// accessToken returns the access token for a repository that may be used for app, that
// of the repository's owner if there is one.
func accessToken(tokens []core.ThirdPartyToken, r core.Repository, app string) core.Secret {
	var found core.Secret
	for _, t := range tokens {
		if !t.IsFor(r.Forge) || t.App != core.AnyApp && t.App != "" && t.App != app {
			continue
		}
		if strings.EqualFold(t.Login, r.Owner) {
			return t.Token
		}
		if found.IsZero() {
			found = t.Token
		}
	}
	return found
}

const maxSecretName = 60

// secretName returns the name of the secret of a webhook, which is the same for the same
// repository, app, folder and branch.
func secretName(r core.Repository, t core.Target) string {
	parts := []string{r.Slug()}
	for _, part := range []string{t.App, t.Root, t.Branch} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	plain := strings.Map(func(c rune) rune {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("._-", c) {
			return c
		}
		return '.'
	}, strings.Join(parts, "-"))
	sum := sha256.Sum256([]byte(r.Key() + "\n" + t.App + "\n" + t.Root + "\n" + t.Branch))
	return plain[:min(len(plain), maxSecretName-9)] + "-" + hex.EncodeToString(sum[:4])
}

// secret returns the secret of that name, or makes it, and fixes what it is for.
func (s *Service) secret(ctx context.Context, user string, tokens []core.ThirdPartyToken, name string, target core.Target) (core.ThirdPartyToken, error) {
	t := core.ThirdPartyToken{ID: name, Provider: core.TokenWebhookSecret, App: core.AnyApp, Target: &target}
	for _, known := range tokens {
		if known.ID == name && known.Provider == core.TokenWebhookSecret {
			t = known
			t.Target = &target
		}
	}
	if t.Token.IsZero() {
		t.Token = s.o.Secret()
	}
	if err := s.o.Accounts.SetToken(ctx, user, t); err != nil {
		return t, core.NewError(core.CodeUpdateUserFailed, "", err)
	}
	return t, nil
}
