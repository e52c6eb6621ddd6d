package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// access is the access that a route requires.
type access int

const (
	open       access = iota // no credentials
	anyUser                  // any authenticated caller
	owner                    // the user that the path names, and the service user
	password                 // as owner, but not by an API token
	account                  // as password; if there is no such user, the path names an ssh key
	removal                  // as account, and admins
	admin                    // the service user, and admins by their password
	adminToken               // as admin, also by an API token
	service                  // only the service user
)

// route is a pattern of [http.ServeMux] with its function.
type route struct {
	pattern string
	access  access
	do      func(*call) error
}

// table lists the whole API.
func (a *API) table() []route {
	return []route{
		{"GET /readyz", open, a.ready},
		{"GET /auth", anyUser, a.auth},
		{"GET /endpoints", anyUser, a.endpoints},

		{"GET /events", service, a.nextEvents},
		{"DELETE /events/{seq}", service, a.removeEvents},

		{"GET /users", adminToken, a.listUsers},
		{"POST /users/email/taken", anyUser, a.emailTaken},
		{"GET /users/{user}", account, a.viewUser},
		{"POST /users/{user}", anyUser, a.createUser}, // as admin
		{"PUT /users/{user}", password, a.updateUser},
		{"DELETE /users/{user}", removal, a.destroyUser},
		{"GET /users/{user}/available", anyUser, a.userAvailable},
		{"POST /users/{user}/admin", admin, a.setAdmin},
		{"POST /users/{user}/invite", admin, a.inviteUser},
		{"POST /users/{user}/confirm", open, a.confirmUser},
		{"POST /users/{user}/forgot", open, a.forgotPassword},

		{"GET /users/{user}/tokens", password, a.listTokens},
		{"POST /users/{user}/tokens", password, a.createToken},
		{"POST /users/{user}/tokens/{token}", password, a.createToken},
		{"PUT /users/{user}/tokens/{token}", password, a.createToken},
		{"DELETE /users/{user}/tokens/{token}", password, a.destroyToken},

		{"GET /users/{user}/thirdparty", password, a.listThirdParty},
		{"POST /users/{user}/thirdparty", password, a.setThirdParty},
		{"DELETE /users/{user}/thirdparty/{id}", password, a.destroyThirdParty},

		{"GET /apps/{user}", owner, a.listApps},
		{"GET /apps/{user}/{app}", owner, a.viewApp},
		{"POST /apps/{user}/{app}", owner, a.createApp},
		{"PUT /apps/{user}/{app}", owner, a.updateApp},
		{"DELETE /apps/{user}/{app}", owner, a.destroyApp},
		{"POST /apps/{user}/{app}/available", owner, a.appAvailable},
		{"POST /apps/{user}/{app}/start", owner, a.start},
		{"POST /apps/{user}/{app}/stop", owner, a.stop},
		{"POST /apps/{user}/{app}/restart", owner, a.restart},
		{"POST /apps/{user}/{app}/run", owner, a.runCommand},
		{"POST /apps/{user}/{app}/source", owner, a.setSource},
		{"GET /apps/{user}/{app}/cloud", owner, a.viewCloud},
		{"POST /apps/{user}/{app}/cloud", owner, a.setCloud},

		{"GET /apps/{user}/{app}/snapshots", owner, a.listSnapshots},
		{"GET /apps/{user}/{app}/snapshots/{file}", owner, a.fetchSnapshot},
		{"POST /apps/{user}/{app}/snapshots/{snapshot}", owner, a.uploadSnapshot},
		{"DELETE /apps/{user}/{app}/snapshots/{snapshot}", owner, a.destroySnapshot},
		{"POST /apps/{user}/{app}/snapshots/{snapshot}/activate", owner, a.activateSnapshot},

		// What the published clients can request but this platform does not have.
		{"/databases", anyUser, a.noDatabases},
		{"/databases/{user}", anyUser, a.noDatabases},
		{"/databases/{user}/{name}", anyUser, a.noDatabases},
		{"/users/{user}/keys/{key}", anyUser, a.noKeys},
		{"GET /users/{user}/{key}", anyUser, a.noKeys}, // the path that the published client uses, also for a key itself
		{"POST /users/{user}/{key}", anyUser, a.noKeys},
		{"DELETE /users/{user}/{key}", anyUser, a.noKeys},

		{"GET /logs/{user}/{app}", owner, a.lastLogs},
		{"GET /logs/{user}/{app}/{rows}", owner, a.lastLogs},
		{"GET " + pathLive + "{$}", anyUser, a.liveLogs}, // of the app that the query names
		{"POST /logs/{user}", owner, a.logsOfUser},
		{"POST /logs/{user}/{app}", owner, a.logsOfApp},
	}
}

// unknown answers calls that match no route.
func (a *API) unknown(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		other := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := a.routes.Handler(other); strings.HasPrefix(pattern, method+" ") {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 && !slices.Contains(allowed, r.Method) {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		a.refuse(w, r, core.Errorf(core.CodePlatformMethodNotAllowed, "This path allows %s", strings.Join(allowed, ", ")))
		return
	}
	a.refuse(w, r, noPath())
}

// noDatabases answers the database calls of the hosted platform. The published
// clients treat the response as a success: one lists the databases, the other
// shows the one that it requested.
func (a *API) noDatabases(c *call) error {
	return c.answer(http.StatusNotImplemented, map[string]any{
		"error":     nameNotImplemented,
		"code":      core.CodePlatformNotImplemented,
		"message":   "This platform has no databases. Run your own, and set its address in the app's `env`",
		"databases": []any{},
		"database":  map[string]string{"name": c.r.PathValue("name"), "type": nameNotImplemented},
	})
}

const nameNotImplemented = "not_implemented"

func (a *API) noKeys(*call) error { return noKeys() }

// noKeys answers the ssh key calls of the hosted platform.
func noKeys() error {
	return core.Errorf(core.CodePlatformNotImplemented, "This platform has no git server of its own, so it accepts no ssh keys. Push to GitHub, or deploy with `webhooks deploy`")
}

func noPath() error {
	return core.NewError(core.CodePlatformNoSuchPath, "", nil)
}
