// Package login authenticates clients whose wrong attempts are throttled, for the
// API and for the dashboard.
package login

import (
	"context"
	"errors"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi/serve/throttle"
)

// Throttled calls authenticate, which verifies the credentials of a client. If
// there were too many wrong ones from its address, see ThrottleAddr of package serve, or for that user, it
// fails with [core.CodeHTTPTooManyTries] instead.
func Throttled(ctx context.Context, t *throttle.Throttle, address string, sent core.Credentials, authenticate func(ctx context.Context) error) error {
	attempt := throttle.Attempt{Address: address, User: sent.Username, Secret: sent.Password.Reveal()}
	err := t.Do(ctx, attempt, func() (throttle.Outcome, error) {
		err := authenticate(ctx)
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
