// Package login authenticates clients whose wrong attempts are throttled, for the
// API and for the dashboard.
package login

import (
	"context"
	"errors"
	"net/http"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi/serve"
	"github.com/nodejitsu/webhooks/httpapi/serve/throttle"
)

// Throttled calls authenticate, which verifies the credentials that r has sent. If
// there were too many wrong ones from the client's address or for that user, it
// fails with [core.CodeHTTPTooManyTries] instead.
func Throttled(r *http.Request, t *throttle.Throttle, proxies serve.Proxies, sent core.Credentials, authenticate func(ctx context.Context) error) error {
	attempt := throttle.Attempt{Address: proxies.ThrottleAddr(r), User: sent.Username, Secret: sent.Password.Reveal()}
	err := t.Do(r.Context(), attempt, func() (throttle.Outcome, error) {
		err := authenticate(r.Context())
		return outcomeOf(err), err
	})
	if wait, ok := errors.AsType[*throttle.WaitError](err); ok {
		later := core.NewError(core.CodeHTTPTooManyTries, "", nil)
		later.RetryAfter = wait.After
		return later
	}
	return err
}

// outcomeOf returns what an error says about the credentials.
func outcomeOf(err error) throttle.Outcome {
	if err == nil {
		return throttle.Right
	}
	switch core.AsError(err).Code {
	case core.CodeNotYou:
		return throttle.Right
	case core.CodeUnauthorized, core.CodeBadCreds:
		return throttle.Wrong
	default:
		return throttle.Unknown
	}
}
