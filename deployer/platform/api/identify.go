package api

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/throttle"
	"github.com/nodejitsu/webhooks/deployer/platform/accounts"
)

// The headers of package nodejitsu, between servers of ours.
const (
	headerKey   = "X-Webhooks-Key"   // the service user's key, in calls for others
	headerOrder = "X-Webhooks-Order" // of a write on an app
)

// identify finds out who calls, and refuses who may not.
func (a *API) identify(ctx context.Context, needed access, c *call) (err error) {
	if needed == open {
		return nil
	}
	username, given, ok := c.r.BasicAuth()
	// Of two, whoever stands before us may have looked at the other one.
	if !ok || len(c.r.Header.Values("Authorization")) > 1 {
		return core.Errorf(core.CodePlatformUnauthorized, "Give your username, and your password or an API token, by HTTP Basic authentication")
	}
	c.who, err = a.authenticate(ctx, a.caller(c.r), core.Credentials{Username: username, Password: core.Secret(given)})
	if err != nil {
		return err
	}
	c.user, c.app = c.r.PathValue("user"), c.r.PathValue("app")
	for _, name := range []string{c.user, c.app} {
		if name != "" && !core.ValidName(name) {
			return core.Errorf(core.CodePlatformInvalid, "%.100q can't be a name: lower-case letters, digits, '.', '_' and '-' may stand in it, at most %d, beginning with a letter or digit", name, core.MaxName)
		}
	}
	switch needed {
	case anybody:
		return nil
	case service:
		if c.who.Service {
			return nil
		}
		return operatorOnly()
	case account:
		if _, err := a.o.Accounts.Find(c.user); core.CodeOf(err) == core.CodePlatformUserNotFound && !c.who.Service {
			return noKeys()
		}
	case open, owner, password:
	}
	if c.who.Token && needed != owner {
		return core.Errorf(core.CodePlatformForbidden, "An API token can't do that; give the password")
	}
	if !c.who.May(c.user) {
		return core.NewError(core.CodePlatformForbidden, "", nil)
	}
	if c.who.Service { // others were found when they authenticated
		_, err = a.o.Accounts.Find(c.user)
	}
	return err
}

func operatorOnly() error {
	return core.Errorf(core.CodePlatformForbidden, "Only the operator of this platform may do that; with the command `webhooks users`")
}

// authenticate proves credentials, unless there were too many wrong ones from
// that address or for that user. The service user's key is not to be guessed,
// and a server whose key was mended need not wait.
func (a *API) authenticate(ctx context.Context, address string, given core.Credentials) (accounts.Identity, error) {
	if address == "" || given.Username == core.ServiceUser {
		return a.o.Accounts.Authenticate(ctx, given)
	}
	done, wait := a.throttle.Try(ctx, address, given)
	if wait > 0 {
		slower := core.NewError(core.CodePlatformTooManyTries, "", nil)
		slower.RetryAfter = wait
		return accounts.Identity{}, slower
	}
	outcome := throttle.Unknown
	defer func() { done(outcome) }()
	who, err := a.o.Accounts.Authenticate(ctx, given)
	switch {
	case err == nil:
		outcome = throttle.Right
	case core.CodeOf(err) == core.CodePlatformUnauthorized:
		outcome = throttle.Wrong
	}
	return who, err
}

// caller returns the address of who calls. It is "" where a server of ours
// calls for others and slows them down itself.
func (a *API) caller(r *http.Request) string {
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	last := strings.TrimSpace(forwarded[len(forwarded)-1])
	if key := r.Header.Get(headerKey); key != "" {
		if a.isKey(r.Context(), key) {
			return last
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	ip, err := netip.ParseAddr(host)
	if err == nil && last != "" && slices.ContainsFunc(a.o.Proxies, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) }) {
		return last
	}
	return host
}

// isKey reports whether key is the service user's.
func (a *API) isKey(ctx context.Context, key string) bool {
	who, err := a.o.Accounts.Authenticate(ctx, core.Credentials{Username: core.ServiceUser, Password: core.Secret(key)})
	return err == nil && who.Service
}
