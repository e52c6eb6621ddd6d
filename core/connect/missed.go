package connect

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// Missed asks the forges to redeliver what no server answered, as while this one was
// down: for the webhooks that Connect made, of all users, and for those that were made
// by hand in the repositories of their newest entries. It is for the start of a server,
// and to be repeated. A delivery that was accepted before is recognized by its id
// and deploys nothing twice. Failures are logged.
func (s *Service) Missed(ctx context.Context) {
	users, err := s.o.Accounts.Users(ctx)
	if err != nil {
		s.o.Logger.WarnContext(ctx, "missed deliveries not looked for", "error", err)
		return
	}
	for _, user := range users {
		tokens, err := s.o.Accounts.Tokens(ctx, user, true)
		if err != nil {
			s.o.Logger.WarnContext(ctx, "missed deliveries not looked for", "user", user, "error", err)
			continue
		}
		known := map[core.Webhook]bool{}
		for _, t := range tokens {
			if ctx.Err() != nil {
				return
			}
			if t.Provider != core.TokenWebhookSecret || t.Webhook == nil {
				continue
			}
			known[*t.Webhook] = true
			app := ""
			if t.Target != nil {
				app = t.Target.App
			}
			s.missed(ctx, user, *t.Webhook, accessToken(tokens, repositoryOf(*t.Webhook), app))
		}
		s.missedByHand(ctx, user, tokens, known)
	}
}

// missedByHand does so for the webhooks of a user that are not known, in the
// repositories that the user's newest entries are from.
func (s *Service) missedByHand(ctx context.Context, user string, tokens []core.ThirdPartyToken, known map[core.Webhook]bool) {
	for _, repo := range s.repositories(ctx, user) {
		forge := s.o.Forges[repo.Forge]
		token := accessToken(tokens, repo, "")
		if _, lists := forge.(Deliveries); !lists || token.IsZero() {
			continue
		}
		hooks, err := s.hooks(ctx, forge, repo, token)
		switch {
		case errors.Is(err, core.ErrForbidden), errors.Is(err, core.ErrNotFound):
			// The account may not manage webhooks there, and is not required to.
			s.o.Logger.DebugContext(ctx, "webhooks not listed", "user", user, "repo", repo.Key(), "error", err)
			continue
		case err != nil:
			s.o.Logger.WarnContext(ctx, "webhooks not listed", "user", user, "repo", repo.Key(), "error", err)
			continue
		}
		for _, h := range hooks {
			hook := core.Webhook{Forge: repo.Forge, Repository: repo.Slug(), ID: h.ID}
			if !known[hook] && s.isOurs(h.URL, user) {
				s.missed(ctx, user, hook, token)
			}
		}
	}
}

func (s *Service) hooks(ctx context.Context, f Forge, r core.Repository, token core.Secret) ([]ListedHook, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	return f.Hooks(ctx, r, token)
}

// newestEntries is how many entries of a user are searched for repositories.
const newestEntries = 100

// repositories returns those that the user's newest entries are from; none if webhooks
// can't be recognized.
func (s *Service) repositories(ctx context.Context, user string) []core.Repository {
	if s.o.Base == "" || s.o.Repositories == nil {
		return nil
	}
	entries, _, err := s.o.Repositories.Entries(ctx, user, "", 0, newestEntries)
	if err != nil {
		s.o.Logger.WarnContext(ctx, "repositories not looked up", "user", user, "error", err)
		return nil
	}
	var all []core.Repository
	found := map[string]bool{}
	for _, e := range entries {
		if r := e.Repository; r.Name != "" && !found[r.Key()] {
			found[r.Key()] = true
			all = append(all, r)
		}
	}
	return all
}

// isOurs reports whether a webhook with that URL delivers to this service for the user.
func (s *Service) isOurs(text, user string) bool {
	base, err := url.Parse(s.o.Base)
	if err != nil {
		return false
	}
	u, err := url.Parse(text)
	if err != nil || !strings.EqualFold(u.Host, base.Host) || u.Query().Get("user") != user && u.User.Username() != user {
		return false
	}
	path, found := strings.CutPrefix(u.Path, strings.TrimSuffix(base.Path, "/"))
	path = strings.Trim(path, "/")
	return found && (path == "" || path == "1/deploy")
}

// missed asks for the missed deliveries of one webhook, if there is a token for its
// forge and that lists deliveries.
func (s *Service) missed(ctx context.Context, user string, hook core.Webhook, token core.Secret) {
	deliveries, lists := s.o.Forges[hook.Forge].(Deliveries)
	if !lists || token.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	again, err := deliveries.Redeliver(ctx, repositoryOf(hook), hook.ID, true, token)
	log := s.o.Logger.With("user", user, "forge", hook.Forge, "repo", hook.Repository, "webhook", hook.ID)
	switch {
	case err != nil:
		log.WarnContext(ctx, "missed deliveries not read", "redelivered", again, "error", err)
	case again > 0:
		log.InfoContext(ctx, "missed deliveries requested again", "redelivered", again)
	default:
		log.DebugContext(ctx, "no missed deliveries")
	}
}

// repositoryOf returns the repository that a webhook is of.
func repositoryOf(hook core.Webhook) core.Repository {
	owner, name := cutLast(hook.Repository)
	return core.Repository{Forge: hook.Forge, Owner: owner, Name: name}
}

// cutLast cuts a slug at its last slash: a group of GitLab may be in another one.
func cutLast(slug string) (owner, name string) {
	slash := strings.LastIndexByte(slug, '/')
	return slug[:max(slash, 0)], slug[slash+1:]
}
