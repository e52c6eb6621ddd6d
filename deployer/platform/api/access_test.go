package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// access is the access that a route requires.
type access string

const (
	open     access = "no credentials"
	anyUser  access = "any user"
	owner    access = "owner"
	password access = "owner, by password"
	admin    access = "admin"
	service  access = "service"
)

// call is an example call of a route.
type call struct {
	pattern string
	access  access
	path    string // of the call; only the users exist
	body    string
	want    int // status for callers with access
}

// calls has one call for each route, as TestAccess verifies. They don't depend on
// each other; the last one restores what it removes.
var calls = []call{
	{"GET /readyz", open, "/readyz", "", 200},
	{"GET /auth", anyUser, "/auth", "", 200},
	{"GET /endpoints", anyUser, "/endpoints", "", 200},

	{"GET /events", service, "/events", "", 200},
	{"DELETE /events/{seq}", service, "/events/0", "", 200},
	{"GET /users", admin, "/users", "", 200},
	{"POST /users/email/taken", anyUser, "/users/email/taken", `{"email":"me@example.org"}`, 200},
	{"GET /users/{user}", password, "/users/me", "", 200},
	{"POST /users/{user}", admin, "/users/me", `{"username":"me","password":"another"}`, 409},
	{"PUT /users/{user}", password, "/users/me", `{"email":"me@example.org"}`, 200},
	{"GET /users/{user}/available", anyUser, "/users/me/available", "", 200},
	{"POST /users/{user}/admin", admin, "/users/me/admin", `{"admin":false}`, 200},
	{"POST /users/{user}/invite", admin, "/users/me/invite", "", 201},
	{"POST /users/{user}/confirm", open, "/users/me/confirm", `{"inviteCode":"1"}`, 403},
	{"POST /users/{user}/forgot", open, "/users/me/forgot", "", 200},

	{"GET /users/{user}/tokens", password, "/users/me/tokens", "", 200},
	{"POST /users/{user}/tokens", password, "/users/me/tokens", "", 201},
	{"POST /users/{user}/tokens/{token}", password, "/users/me/tokens/one", "", 201},
	{"PUT /users/{user}/tokens/{token}", password, "/users/me/tokens/two", "", 201},
	{"DELETE /users/{user}/tokens/{token}", password, "/users/me/tokens/none", "", 404},

	{"GET /users/{user}/thirdparty", password, "/users/me/thirdparty", "", 200},
	{"POST /users/{user}/thirdparty", password, "/users/me/thirdparty", `{"id":"a","provider":"github","token":"t"}`, 201},
	{"DELETE /users/{user}/thirdparty/{id}", password, "/users/me/thirdparty/none", "", 404},

	{"GET /apps/{user}", owner, "/apps/me", "", 200},
	{"GET /apps/{user}/{app}", owner, "/apps/me/none", "", 404},
	{"POST /apps/{user}/{app}", owner, "/apps/me/none", `{"name":"another"}`, 400},
	{"PUT /apps/{user}/{app}", owner, "/apps/me/none", "", 404},
	{"DELETE /apps/{user}/{app}", owner, "/apps/me/none", "", 404},
	{"POST /apps/{user}/{app}/available", owner, "/apps/me/none/available", "", 200},
	{"POST /apps/{user}/{app}/start", owner, "/apps/me/none/start", "{}", 404},
	{"POST /apps/{user}/{app}/stop", owner, "/apps/me/none/stop", "{}", 404},
	{"POST /apps/{user}/{app}/restart", owner, "/apps/me/none/restart", "{}", 404},
	{"POST /apps/{user}/{app}/run", owner, "/apps/me/none/run", `{"command":"ls"}`, 404},
	{"POST /apps/{user}/{app}/source", owner, "/apps/me/none/source", "{}", 404},
	{"GET /apps/{user}/{app}/cloud", owner, "/apps/me/none/cloud", "", 404},
	{"POST /apps/{user}/{app}/cloud", owner, "/apps/me/none/cloud", `[{"drones":1}]`, 404},

	{"GET /apps/{user}/{app}/snapshots", owner, "/apps/me/none/snapshots", "", 404},
	{"GET /apps/{user}/{app}/snapshots/{file}", owner, "/apps/me/none/snapshots/1.tgz", "", 404},
	{"POST /apps/{user}/{app}/snapshots/{snapshot}", owner, "/apps/me/none/snapshots/1", "tgz", 404},
	{"DELETE /apps/{user}/{app}/snapshots/{snapshot}", owner, "/apps/me/none/snapshots/1", "", 404},
	{"POST /apps/{user}/{app}/snapshots/{snapshot}/activate", owner, "/apps/me/none/snapshots/1/activate", "", 404},

	{"/databases", anyUser, "/databases", "", 501},
	{"/databases/{user}", anyUser, "/databases/me", "", 501},
	{"/databases/{user}/{name}", anyUser, "/databases/me/one", "", 501},
	{"/users/{user}/keys/{key}", anyUser, "/users/me/keys/one", "", 501},
	{"GET /users/{user}/{key}", anyUser, "/users/me/one", "", 501},
	{"POST /users/{user}/{key}", anyUser, "/users/me/one", "", 501},
	{"DELETE /users/{user}/{key}", anyUser, "/users/me/one", "", 501},

	{"GET /logs/{user}/{app}", owner, "/logs/me/none", "", 404},
	{"GET /logs/{user}/{app}/{rows}", owner, "/logs/me/none/10", "", 404},
	{"GET /primus/{$}", anyUser, "/primus/", "", 400},
	{"POST /logs/{user}", owner, "/logs/me", "", 200},
	{"POST /logs/{user}/{app}", owner, "/logs/me/none", "", 404},

	{"DELETE /users/{user}", password, "/users/me", "", 200},
}

// status returns the status that a caller must get.
func (c call) status(who string) int {
	switch {
	case c.access == open:
		return c.want
	case who == "anonymous" || strings.HasPrefix(who, "wrong"):
		return http.StatusUnauthorized
	case c.access == anyUser || who == "operator":
		return c.want
	case who == "another", c.access == service || c.access == admin, c.access == password && who == "token":
		return http.StatusForbidden
	}
	return c.want
}

func TestAccess(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var seen []string
	for _, c := range calls {
		seen = append(seen, c.pattern)
	}
	if want := b.api.Patterns(); !slices.Equal(slices.Sorted(slices.Values(seen)), slices.Sorted(slices.Values(want))) {
		t.Fatalf("calls do not match the routes:\n%q\n%q", seen, want)
	}
	_, token, _ := strings.Cut(b.token, ":")
	callers := []struct{ who, credentials string }{
		{"anonymous", ""},
		{"wrong key", "_webhooks:my password"},
		{"another", you},
		{"token", b.token},
		{"owner", me},
		{"operator", operator},
	}
	for _, c := range calls {
		method, _, one := strings.Cut(c.pattern, " ")
		if !one {
			method = http.MethodPost // any method
		}
		for _, by := range callers {
			got := b.call(by.credentials, method+" "+c.path, c.body)
			if want := c.status(by.who); got.status != want {
				t.Errorf("%s by %s: status %d, want %d: %s", c.pattern, by.who, got.status, want, got.body)
			}
			if c.pattern == "DELETE /users/{user}" && got.status == 200 {
				b.must(201, operator, "POST /users/me", `{"password":"my password"}`)
				b.token = "me:" + b.must(201, me, "PUT /users/me/tokens/ci", "").object()["ci"].(string)
			}
		}
	}
	if strings.Contains(b.log.String(), "password") || strings.Contains(b.log.String(), token) {
		t.Errorf("the log has a credential:\n%s", b.log)
	}
}

// An admin adds, invites and removes users, and does nothing else for them.
func TestAdmin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	token := b.token // made before me is an admin
	b.refused(403, "forbidden", me, "POST /users/me/admin", `{"admin":true}`)
	b.must(200, operator, "POST /users/me/admin", `{"admin":true}`)
	b.must(201, me, "POST /users/new", `{"username":"new","password":"new password"}`)
	b.must(201, me, "POST /users/new/invite", "")
	b.must(200, me, "POST /users/you/admin", `{"admin":true}`)
	if users := b.must(200, token, "GET /users", "").body; !strings.Contains(users, `"username":"new"`) {
		t.Errorf("the users are %s", users)
	}
	for _, call := range []string{"POST /users/other", "POST /users/new/invite", "POST /users/new/admin", "DELETE /users/new"} {
		b.refused(403, "forbidden", token, call, `{"username":"other","password":"p"}`)
	}
	for _, call := range []string{"GET /users/new", "PUT /users/new", "GET /users/new/tokens", "GET /users/new/thirdparty", "GET /apps/new", "DELETE /apps/new/app", "GET /events"} {
		b.refused(403, "forbidden", me, call, "{}")
	}
	b.must(200, me, "DELETE /users/new", "")
	b.refused(404, "not_found", me, "DELETE /users/new", "")
	b.must(200, you, "POST /users/me/admin", `{"admin":false}`) // at once, though me is remembered
	b.refused(403, "forbidden", me, "GET /users", "")
	b.refused(403, "forbidden", me, "DELETE /users/you", "")
}

// The published client views, adds and removes ssh keys at the path of a user.
func TestKeysThatLookLikeUsers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, credentials := range []string{me, b.token} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			for _, body := range []string{"", "{}", `{"title":"mine","key":"ssh-rsa AAAA"}`, `"ssh-rsa AAAA"`} {
				b.refused(501, "not_implemented", credentials, method+" /users/mine", body)
			}
		}
	}
	b.refused(403, "forbidden", me, "POST /users/mine", `{"username":"mine","password":"p"}`)
	b.refused(403, "forbidden", me, "GET /users/you", "")
	b.refused(403, "forbidden", me, "DELETE /users/you", "")
	b.refused(404, "not_found", operator, "GET /users/mine", "")
	b.refused(404, "not_found", operator, "DELETE /users/mine", "")
}

// Each of these computes a hash, so they are not tried on each route.
func TestWrongCredentials(t *testing.T) {
	t.Parallel()
	for what, credentials := range map[string]string{
		"password of another":          "me:your password",
		"token of another":             "you:TOKEN",
		"the key as a user's password": "me:the key",
		"no password":                  "me:",
		"an unknown user":              "none:my password",
		"an invalid name":              "Me:my password",
		"an empty name":                ":my password",
		"a password too long":          "me:" + strings.Repeat("x", 1025),
	} {
		t.Run(what, func(t *testing.T) { // one fixture each, as wrong passwords are throttled
			t.Parallel()
			b := setup(t)
			_, token, _ := strings.Cut(b.token, ":")
			credentials := strings.Replace(credentials, "TOKEN", token, 1)
			for _, call := range []string{"GET /auth", "GET /apps/me", "GET /users/me"} {
				b.refused(401, "unauthorized", credentials, call, "")
			}
		})
	}
}

func TestServiceCallsForUnknownUsers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, call := range []string{"GET /apps/none", "POST /apps/none/app", "GET /users/none/tokens", "POST /logs/none"} {
		b.refused(404, "not_found", operator, call, "")
	}
}

func TestOnlyServiceReadsThirdPartyTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must(201, me, "POST /users/me/thirdparty", `{"id":"a","provider":"github","token":"ghp_secret","scopes":["repo"],"login":"octocat","required":true}`)
	if own := b.must(200, me, "GET /users/me/thirdparty", ""); strings.Contains(own.body, "ghp_secret") {
		t.Errorf("the owner can read the token: %s", own.body)
	}
	var list []map[string]any
	b.must(200, operator, "GET /users/me/thirdparty", "").decode(&list)
	if len(list) != 1 || list[0]["token"] != "ghp_secret" || list[0]["provider"] != "github" || list[0]["login"] != "octocat" || list[0]["required"] != true {
		t.Errorf("the service gets %v", list)
	}
	b.must(200, me, "DELETE /users/me/thirdparty/a", "")
	if body := b.must(200, operator, "GET /users/me/thirdparty", "").body; body != "[]\n" {
		t.Errorf("after its removal: %s", body)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.must(201, me, "PUT /users/me/tokens/deploy", "{}").object()
	if first["operation"] != "insert" {
		t.Errorf("a new token answers %v", first)
	}
	second := b.must(201, me, "POST /users/me/tokens/deploy", "{}").object()
	if second["operation"] != "update" || second["deploy"] == first["deploy"] {
		t.Errorf("the same name again answers %v after %v", second, first)
	}
	token := second["deploy"].(string)
	b.must(401, "me:"+first["deploy"].(string), "GET /auth", "")
	b.must(200, "me:"+token, "GET /auth", "")
	list := b.must(200, me, "GET /users/me/tokens", "")
	if named, _ := list.object()["apiTokens"].(map[string]any); len(named) != 2 || named["deploy"] != token[:4]+"…" {
		t.Errorf("the list is %v", list.body)
	}
	if got := b.must(200, me, "DELETE /users/me/tokens/deploy", "").object(); got["ok"] != true || got["id"] != "deploy" {
		t.Errorf("the removal answers %v", got)
	}
	b.must(401, "me:"+token, "GET /auth", "")
	b.refused(400, "invalid", me, "PUT /users/me/tokens/operation", "")
	b.refused(400, "invalid", me, "PUT /users/me/tokens/a%2Fb", "")
}
