package connect

import (
	"context"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// Missed asks the forges to redeliver what no server answered, as while this one was
// down: for the webhooks that Connect made, of all users. It is for the start of a
// server. A delivery that was accepted before is recognized by its id and deploys
// nothing twice. Failures are logged.
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
		for _, t := range tokens {
			if ctx.Err() != nil {
				return
			}
			if t.Provider == core.TokenWebhookSecret && t.Webhook != nil {
				s.missed(ctx, user, tokens, t)
			}
		}
	}
}

// missed asks for the missed deliveries of one webhook, if the user's account is paired
// with its forge and that lists deliveries.
func (s *Service) missed(ctx context.Context, user string, tokens []core.ThirdPartyToken, secret core.ThirdPartyToken) {
	hook := *secret.Webhook
	owner, name := cutLast(hook.Repository)
	repo, app := core.Repository{Forge: hook.Forge, Owner: owner, Name: name}, ""
	if secret.Target != nil {
		app = secret.Target.App
	}
	deliveries, lists := s.o.Forges[hook.Forge].(Deliveries)
	token := accessToken(tokens, repo, app)
	if !lists || token.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	again, err := deliveries.Redeliver(ctx, repo, hook.ID, true, token)
	log := s.o.Logger.With("user", user, "forge", hook.Forge, "repo", hook.Repository, "secret", secret.ID)
	switch {
	case err != nil:
		log.WarnContext(ctx, "missed deliveries not read", "redelivered", again, "error", err)
	case again > 0:
		log.InfoContext(ctx, "missed deliveries requested again", "redelivered", again)
	default:
		log.DebugContext(ctx, "no missed deliveries")
	}
}

// cutLast cuts a slug at its last slash: a group of GitLab may be in another one.
func cutLast(slug string) (owner, name string) {
	slash := strings.LastIndexByte(slug, '/')
	return slug[:max(slash, 0)], slug[slash+1:]
}
