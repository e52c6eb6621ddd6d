package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

// Invalid requests are refused, each with its code and a reason that names the
// mistake.
func TestInvalidRequests(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ping := `{"zen":"x","hook_id":1}`
	credentials := `{"credentials":"dscape:ghp_x"}`
	giteaPush := `{"ref":"refs/heads/main","before":"` + strings.Repeat("0", 40) + `","after":"` + strings.Repeat("1", 40) + `",
		"compare_url":"https://gitea.example.com/dscape/hello/compare/0...1","commits":[],"repository":{"name":"hello","full_name":"dscape/hello",
		"owner":{"login":"dscape"},"html_url":"https://gitea.example.com/dscape/hello","default_branch":"main"}}`
	deploy := func(query string) request {
		return request{path: "/1/deploy?" + query, body: ping, header: event("ping")}
	}
	changes := func(query string) request { return request{path: "/1/status/dscape/changes?" + query} }
	list := func(query string) request { return request{path: "/1/status/dscape/webhooks?" + query} }
	for name, test := range map[string]struct {
		request
		status int
		code   string
		reason string // a part of it
	}{
		"deploy, no user's name":        {deploy("user=../etc"), 400, "deploy:params:invalid", "user"},
		"deploy, another user":          {deploy("user=other"), 401, "deploy:auth:bad_creds", "user"},
		"deploy, control characters":    {deploy("branch=a%00b"), 400, "deploy:params:invalid", "branch"},
		"deploy, endless branch":        {deploy("branch=" + strings.Repeat("x", 300)), 400, "deploy:params:invalid", "branch"},
		"deploy, invalid query":         {deploy("branch=%zz"), 400, "deploy:params:invalid", "query"},
		"deploy, unsigned for a user":   {request{path: "/1/deploy?user=dscape", body: ping, header: event("ping"), anonymous: true}, 401, "deploy:auth:bad_creds", "Basic"},
		"deploy, other scheme":          {request{path: "/1/deploy", body: ping, header: map[string]string{"Authorization": "Bearer abc", "X-GitHub-Event": "ping"}, anonymous: true}, 401, "deploy:auth:bad_creds", "Basic"},
		"deploy, Gitea's push":          {request{path: "/1/deploy", body: giteaPush, header: map[string]string{"X-Gitea-Event": "push", "X-GitHub-Event": "push"}}, 400, "deploy:forge:not_configured", "gitea.example.com"},
		"deploy, GitHub's, other forge": {request{path: "/1/deploy", body: giteaPush, header: event("push")}, 400, "deploy:forge:not_configured", "gitea.example.com"},
		"auth, other forge":             {request{path: "/1/auth/gitlab", body: credentials}, 404, "auth:forge:not_configured", "gitlab"},
		"auth, other host":              {request{path: "/1/auth/github?forge=ghe.example.com", body: credentials}, 404, "auth:forge:not_configured", "ghe.example.com"},
		"limit 0":                       {list("limit=0"), 400, "status:params:invalid", "limit"},
		"limit is not a number":         {list("limit=ten"), 400, "status:params:invalid", "limit"},
		"skip is not a number":          {list("skip=1.5"), 400, "status:params:invalid", "skip"},
		"list, invalid query":           {list("limit=%zz"), 400, "status:params:invalid", "query"},
		"list, no app's name":           {request{path: "/1/status/dscape/webhooks/-x"}, 404, "status:db:not_found", ""},
		"include_docs":                  {changes("include_docs=maybe"), 400, "status:params:invalid", "include_docs"},
		"since":                         {changes("since=yesterday"), 400, "status:params:invalid", "since"},
		"feed":                          {changes("feed=eventsource"), 400, "status:params:invalid", "feed"},
		"heartbeat":                     {changes("heartbeat=1"), 400, "status:params:invalid", "heartbeat"},
		"timeout":                       {changes("timeout=never"), 400, "status:params:invalid", "timeout"},
		"app":                           {changes("app=../x"), 400, "status:params:invalid", "app"},
		"status":                        {changes("status=fine"), 400, "status:params:invalid", "status"},
		"changes, invalid query":        {changes("since=%zz"), 400, "status:params:invalid", "query"},
		"Last-Event-ID":                 {request{path: "/1/status/dscape/changes", header: map[string]string{"Last-Event-ID": "x"}}, 400, "status:params:invalid", "Last-Event-ID"},
		"invalid id of an entry":        {request{path: "/1/status/dscape/changes/x"}, 404, "status:db:not_found", ""},
		"entry, not you":                {request{path: "/1/status/other/changes/" + strings.Repeat("0", 32)}, 401, "mw:auth:not_you", ""},
		"release, not you":              {request{method: "POST", path: "/1/status/other/changes/" + strings.Repeat("0", 32) + "/release"}, 401, "mw:auth:not_you", ""},
		"release, unknown":              {request{method: "POST", path: "/1/status/dscape/changes/" + strings.Repeat("0", 32) + "/release"}, 404, "status:db:not_found", ""},
		"auth, empty":                   {request{method: "POST", path: "/1/auth/github"}, 400, "auth:github:no_credentials", ""},
		"auth, null":                    {request{path: "/1/auth/github", body: `{"credentials":null}`}, 400, "auth:github:no_credentials", ""},
		"auth, no JSON":                 {request{path: "/1/auth/github", body: "credentials=a:b"}, 400, "auth:github:bad_credentials", "JSON"},
		"auth, no string":               {request{path: "/1/auth/github", body: `{"credentials":{}}`}, 400, "auth:github:bad_credentials", "string"},
		"auth, no token":                {request{path: "/1/auth/github", body: `{"credentials":"dscape:"}`}, 400, "auth:github:bad_credentials", ""},
		"auth, no app's name":           {request{path: "/1/auth/github?app=../x", body: credentials}, 400, "auth:params:invalid", "app"},
		"auth, invalid query":           {request{path: "/1/auth/github?app=%zz", body: credentials}, 400, "auth:params:invalid", "query"},
		"auth, too large":               {request{path: "/1/auth/github", body: strings.Repeat("x", 70<<10)}, 413, "deploy:payload:too_large", "64 KiB"},
		"auth, wrong password":          {request{path: "/1/auth/github", body: credentials, credentials: user + ":wrong"}, 401, "mw:auth:unauthorized", ""},
		"auth, malformed":               {request{path: "/1/auth/github", body: credentials, header: map[string]string{"Authorization": "Basic !"}, anonymous: true}, 401, "mw:auth:unauthorized", ""},
		"unknown route, no credentials": {request{path: "/1/nothing", anonymous: true}, 404, "http:not_found", ""},
		"unknown route below one":       {request{path: "/1/deploy/x"}, 404, "http:not_found", ""},
		"GET of deploy":                 {request{path: "/1/deploy"}, 405, "http:method_not_allowed", ""},
		"DELETE of the list":            {request{method: http.MethodDelete, path: "/1/status/dscape/webhooks"}, 405, "http:method_not_allowed", ""},
		"GET of auth":                   {request{path: "/1/auth/github"}, 405, "http:method_not_allowed", ""},
		"POST of healthz":               {request{method: http.MethodPost, path: "/healthz"}, 405, "http:method_not_allowed", ""},
		"method that does not exist":    {request{method: "BREW", path: "/1/deploy"}, 405, "http:method_not_allowed", ""},
		"unsupported content encoding":  {request{path: "/1/deploy", body: ping, header: map[string]string{"Content-Encoding": "br"}}, 415, "deploy:payload:encoding", "uncompressed"},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.send(test.request)
			failure := got.json(t)
			if got.status != test.status || failure["error"] != test.code {
				t.Fatalf("got %d %s, want %d %s", got.status, got.body, test.status, test.code)
			}
			if reason, _ := failure["reason"].(string); reason == "" || !strings.Contains(reason, test.reason) {
				t.Errorf("the reason %q does not mention %q", reason, test.reason)
			}
			if uuid := got.header.Get("x-api-uuid"); uuid == "" || failure["uuid"] != uuid {
				t.Errorf("got uuid %v, and %q in the header", failure["uuid"], uuid)
			}
			if !strings.HasSuffix(got.body, "}\n") {
				t.Errorf("the body does not end in a newline: %q", got.body)
			}
			for header, status := range map[string]int{"Allow": 405, "WWW-Authenticate": 401} {
				if there := got.header.Get(header) != ""; there != (got.status == status) {
					t.Errorf("%d with %s: %q", got.status, header, got.header.Get(header))
				}
			}
		})
	}
}

// Every route works with and without a trailing slash, and without a redirect,
// which GitHub would not follow.
func TestTrailingSlashes(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, r := range []request{
		{path: "/", body: `{"zen":"x","hook_id":1}`, header: event("ping")},
		{path: "/1/deploy", body: `{"zen":"x","hook_id":1}`, header: event("ping")},
		{path: "/1/deploy/", body: `{"zen":"x","hook_id":1}`, header: event("ping")},
		{path: "/1/status/dscape/webhooks/"},
		{path: "/1/status/dscape/changes/?feed=normal"},
		{path: "/1/status/dscape/changes?feed=normal"},
		{path: "/healthz", anonymous: true},
		{path: "/healthz/", anonymous: true},
		{path: "/readyz", anonymous: true},
		{method: http.MethodHead, path: "/healthz", anonymous: true},
		{method: http.MethodHead, path: "/readyz", anonymous: true},
	} {
		if got := s.send(r); got.status != 200 || got.header.Get("x-api-version") == "" {
			t.Errorf("%s %s: got %d %s", r.method, r.path, got.status, got.body)
		}
	}
}

// GitHub verifies the token of a pairing. A refusal has a reason that helps.
func TestPairing(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags()...)
	h.AddUser(user, "github_pat_fine", nil)
	h.AddUser(user, "ghp_classic", []string{"repo", "read:org"})
	h.AddUser(user, "ghp_revoked", nil)
	h.RevokeToken("ghp_revoked")
	pair := func(query, credentials string) answer {
		return s.send(request{path: "/1/auth/github" + query, body: text(t, object{"credentials": credentials})})
	}
	if got := pair("", "DSCAPE:github_pat_fine"); got.status != 200 || got.body != `{"ok":true,"provider":"github","login":"dscape","scopes":[],"app":"*"}`+"\n" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := pair("?app=hello", "dscape:ghp_classic"); got.status != 200 || got.body != `{"ok":true,"provider":"github","login":"dscape","scopes":["repo","read:org"],"app":"hello"}`+"\n" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	refused := func(credentials, reason string) {
		t.Helper()
		got := pair("", credentials)
		failure := got.json(t)
		if said, _ := failure["reason"].(string); got.status != 401 || failure["error"] != "auth:github:github_pairing_failed" || !strings.Contains(said, reason) {
			t.Errorf("got %d %s, want a reason with %q", got.status, got.body, reason)
		}
		if _, token, _ := strings.Cut(credentials, ":"); strings.Contains(got.body+s.stderr(), token) {
			t.Error("the token is in the answer or in the log")
		}
	}
	refused("dscape:hunter2 is a password", "no passwords")
	refused("dscape:ghp_revoked", "revoked")
	refused("indexzero:ghp_classic", "another GitHub user")
	h.Fail(sim.Matching("GET", "/user"), 1, 503, nil)
	refused("dscape:ghp_unlucky", "try again")
}
