package connect

import (
	"context"
	"net/http"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// test has a test of a webhook sent, if the forge has one that deploys nothing.
func (s *Service) test(ctx context.Context, user string, forge Forge, r core.Repository, id string, token core.Secret) (tested bool, status int, err error) {
	switch f := forge.(type) {
	case Tester:
		status, err = f.TestHook(ctx, r, id, token)
		return true, status, err
	case Pinger:
		return s.ping(ctx, user, f, r, id, token)
	}
	return false, 0, nil
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
