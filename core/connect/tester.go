package connect

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// test has a test of a webhook sent, if the forge has one that deploys nothing.
func (s *Service) test(ctx context.Context, user string, forge Forge, r core.Repository, h ListedHook, token core.Secret) (tested bool, status int, err error) {
	switch f := forge.(type) {
	case Tester:
		return f.TestHook(ctx, r, h, token)
	case Pinger:
		return s.ping(ctx, user, f, r, h.ID, token)
	}
	return false, 0, nil
}

// ownTestWait limits the test that is sent from here.
const ownTestWait = 10 * time.Second

// ownTest sends a test to the URL of a webhook, as the forge would. It shows that the
// address leads here and that the secret is known, not that the forge reaches the address.
func (s *Service) ownTest(ctx context.Context, user string, forge Forge, r core.Repository, h ListedHook, secret core.Secret) (sent bool, status int) {
	f, ok := forge.(Sampler)
	if !ok || s.o.Poster == nil {
		return false, 0
	}
	ctx, cancel := context.WithTimeout(ctx, ownTestWait)
	defer cancel()
	header, body := f.Sample(r, secret)
	status, answer, err := s.o.Poster.Post(ctx, h.URL, header, body)
	if err != nil {
		s.o.Logger.WarnContext(ctx, "test of a webhook not sent", "user", user, "repo", r.Key(), "error", err)
		return !errors.Is(err, core.ErrForbidden), 0
	}
	if answer.Get(answeredBy) == "" {
		return true, 0
	}
	return true, status
}

// The wait for a test to arrive.
const (
	pingPoll = 250 * time.Millisecond
	pingWait = 10 * time.Second
)

// ping has a test sent and waits for its entry. If there is one of an earlier test, it
// sends none: the same test would be the same delivery, which makes no other entry.
func (s *Service) ping(ctx context.Context, user string, forge Pinger, r core.Repository, id string, token core.Secret) (tested bool, status int, err error) {
	if s.o.Repositories == nil || s.pinged(ctx, user, r) {
		return false, 0, nil
	}
	if sent, err := forge.PingHook(ctx, r, id, token); err != nil || !sent {
		return false, 0, err
	}
	limit := time.After(pingWait)
	for !s.pinged(ctx, user, r) {
		select {
		case <-time.After(pingPoll):
		case <-limit:
			return true, 0, nil
		case <-ctx.Done():
			return true, 0, nil
		}
	}
	return true, http.StatusOK, nil
}

// pinged reports whether one of the user's newest entries is a test of a webhook of r.
func (s *Service) pinged(ctx context.Context, user string, r core.Repository) bool {
	entries, _, err := s.o.Repositories.Entries(ctx, user, "", 0, newestEntries)
	if err != nil {
		s.o.Logger.WarnContext(ctx, "test of a webhook not looked up", "user", user, "repo", r.Key(), "error", err)
	}
	for _, e := range entries {
		if e.Kind == core.EventPing && e.Repository.Key() == r.Key() {
			return true
		}
	}
	return false
}
