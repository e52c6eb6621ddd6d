package router

import (
	"crypto/rand"
	"net/http"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// cookieClient is the cookie that identifies a client of a sticky app.
const cookieClient = "webhooks-client"

// maxClient is the maximum length of its value in bytes.
const maxClient = 64

// pick picks a drone for a request. A new client of a sticky app gets an id.
func (r *Router) pick(req *http.Request, state *request) (runner.Target, bool) {
	if state.client == "" {
		if cookie, err := req.Cookie(cookieClient); err == nil && len(cookie.Value) <= maxClient {
			state.client = cookie.Value
		}
	}
	t, ok := r.o.Pick(state.user, state.app, state.client)
	if !ok || !t.Sticky || state.client != "" {
		return t, ok
	}
	t.Done()
	state.client, state.newClient = rand.Text(), true
	return r.o.Pick(state.user, state.app, state.client)
}

// stick has a new client send its id with the next requests.
func (r *Router) stick(req *http.Request, state *request, resp *http.Response) {
	if !state.newClient {
		return
	}
	cookie := http.Cookie{ //nolint:gosec // Secure depends on how the client is connected
		Name: cookieClient, Value: state.client, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: req.Header.Get("X-Forwarded-Proto") == "https", // the router's own
	}
	resp.Header.Add("Set-Cookie", cookie.String())
}
