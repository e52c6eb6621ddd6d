package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/accounts"
	"github.com/nodejitsu/webhooks/httpapi/serve/throttle"
)

// The headers of package nodejitsu, used between our servers.
const (
	headerKey   = "X-Webhooks-Key"   // the service user's key, in calls for others
	headerOrder = "X-Webhooks-Order" // of a write on an app

	headerDeploys = "X-Webhooks-Deploys" // an app is created to be deployed
)

// identify authenticates the caller and verifies that it has the needed access.
func (a *API) identify(ctx context.Context, needed access, c *call) (err error) {
	if needed == open {
		return nil
	}
	username, given, ok := c.r.BasicAuth()
	// If there are two, a proxy may have verified the other one.
	if !ok || len(c.r.Header.Values("Authorization")) > 1 {
		return core.Errorf(core.CodePlatformUnauthorized, "Send your username, and your password or an API token, with HTTP Basic authentication")
	}
	c.who, err = a.authenticate(ctx, a.caller(c.r), core.Credentials{Username: username, Password: core.NewSecret(given)})
	if err != nil {
		return err
	}
	c.user, c.app = c.r.PathValue("user"), c.r.PathValue("app")
	for _, named := range [][2]string{{"user", c.user}, {"app", c.app}} {
		if named[1] == "" {
			continue
		}
		if err := core.CheckName(named[0], named[1]); err != nil {
			return core.Errorf(core.CodePlatformInvalid, "The request is invalid: %v", err)
		}
	}
	switch needed {
	case anyUser:
		return nil
	case service:
		if c.who.Service {
			return nil
		}
		return core.Errorf(core.CodePlatformForbidden, "Only the operator of this platform may do that")
	case admin, adminToken:
		return c.adminOnly(needed == adminToken)
	case account, removal:
		if _, err := a.o.Accounts.Find(c.user); core.CodeOf(err) == core.CodePlatformUserNotFound && !c.who.Service && (needed != removal || !c.who.Admin) {
			return noKeys()
		}
	case open, owner, password:
	}
	if c.who.Token && needed != owner {
		return noToken()
	}
	if !c.who.May(c.user) && (needed != removal || !c.who.Admin) {
		return core.NewError(core.CodePlatformForbidden, "", nil)
	}
	if c.user != c.who.Username { // authentication has found the caller
		_, err = a.o.Accounts.Find(c.user)
	}
	return err
}

// adminOnly fails unless the caller is the service user or an admin, authenticated
// by a password or, if that is enough, by an API token.
func (c *call) adminOnly(tokenIsEnough bool) error {
	switch {
	case c.who.Service:
		return nil
	case !c.who.Admin:
		return core.Errorf(core.CodePlatformForbidden, "Only an admin may do that: the operator can make you one, by `webhooks users admin`")
	case c.who.Token && !tokenIsEnough:
		return noToken()
	}
	return nil
}

func noToken() error {
	return core.Errorf(core.CodePlatformForbidden, "An API token may not do that; use the password")
}

// authenticate verifies credentials, unless there were too many failures from that
// address or for that user. The service user's key can't be guessed, so it is not
// throttled: a server whose key was corrected need not wait.
func (a *API) authenticate(ctx context.Context, address string, given core.Credentials) (who accounts.Identity, err error) {
	if address == "" || given.Username == core.ServiceUser {
		return a.o.Accounts.Authenticate(ctx, given)
	}
	attempt := throttle.Attempt{Address: address, User: given.Username, Secret: given.Password.Reveal()}
	err = a.o.Logins.Do(ctx, attempt, func() (throttle.Outcome, error) {
		var err error
		who, err = a.o.Accounts.Authenticate(ctx, given)
		return outcomeOf(err), err
	})
	if wait, ok := errors.AsType[*throttle.WaitError](err); ok {
		later := core.NewError(core.CodePlatformTooManyTries, "", nil)
		later.RetryAfter = wait.After
		return who, later
	}
	return who, err
}

// outcomeOf returns the outcome of an authentication for the throttle.
func outcomeOf(err error) throttle.Outcome {
	switch {
	case err == nil:
		return throttle.Right
	case core.CodeOf(err) == core.CodePlatformUnauthorized:
		return throttle.Wrong
	default:
		return throttle.Unknown
	}
}

// caller returns the address of the client. One of our servers that calls for a
// client sends the client's address, or "" if it throttles clients itself.
func (a *API) caller(r *http.Request) string {
	if key := r.Header.Get(headerKey); key != "" && a.isKey(r.Context(), key) {
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		return strings.TrimSpace(hops[len(hops)-1])
	}
	return a.o.Proxies.ThrottleAddr(r)
}

// fromServer reports whether the request carries the service user's key.
func (a *API) fromServer(r *http.Request) bool {
	if key := r.Header.Get(headerKey); key != "" {
		return a.isKey(r.Context(), key)
	}
	username, key, _ := r.BasicAuth()
	return username == core.ServiceUser && a.isKey(r.Context(), key)
}

// isKey reports whether key is the service user's.
func (a *API) isKey(ctx context.Context, key string) bool {
	who, err := a.o.Accounts.Authenticate(ctx, core.Credentials{Username: core.ServiceUser, Password: core.NewSecret(key)})
	return err == nil && who.Service
}
