package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// Requests need the credentials of the right user.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.run("another password\n", "users", "add", "other", "--new-password-file", "-", "--data", s.data)
	token := strings.TrimSpace(s.run("", "tokens", "add", user, "ci", "--data", s.data))
	ping := `{"zen":"x","hook_id":1}`
	hex := strings.Repeat("0a", 32)
	for name, test := range map[string]struct {
		request
		status int
		code   string
	}{
		"deploy, password":           {request{path: "/", body: ping, header: event("ping")}, 200, ""},
		"deploy, token":              {request{path: "/1/deploy", body: ping, header: event("ping"), credentials: user + ":" + token}, 200, ""},
		"deploy, no credentials":     {request{path: "/1/deploy", body: ping, header: event("ping"), anonymous: true}, 401, "deploy:auth:bad_creds"},
		"deploy, wrong password":     {request{path: "/1/deploy", body: ping, header: event("ping"), credentials: user + ":wrong"}, 401, "deploy:auth:bad_creds"},
		"deploy, unknown user":       {request{path: "/1/deploy", body: ping, header: event("ping"), credentials: "unknown:wrong"}, 401, "deploy:auth:bad_creds"},
		"deploy, malformed":          {request{path: "/1/deploy", body: ping, header: map[string]string{"X-GitHub-Event": "ping", "Authorization": "Basic !!!"}, anonymous: true}, 401, "deploy:auth:bad_creds"},
		"deploy, Travis' old header": {request{path: "/1/deploy", body: text(t, build(nil)), header: map[string]string{"Authorization": hex}, anonymous: true}, 401, "deploy:auth:bad_creds"},
		"status, password":           {request{path: "/1/status/dscape/webhooks"}, 200, ""},
		"status, no credentials":     {request{path: "/1/status/dscape/webhooks", anonymous: true}, 401, "mw:auth:unauthorized"},
		"status, wrong password":     {request{path: "/1/status/dscape/webhooks", credentials: user + ":wrong"}, 401, "mw:auth:unauthorized"},
		"status, not you":            {request{path: "/1/status/other/webhooks"}, 401, "mw:auth:not_you"},
		"changes, not you":           {request{path: "/1/status/other/changes"}, 401, "mw:auth:not_you"},
		"changes, no credentials":    {request{path: "/1/status/dscape/changes/", anonymous: true}, 401, "mw:auth:unauthorized"},
		"one entry, unknown":         {request{path: "/1/status/dscape/changes/" + strings.Repeat("0", 32)}, 404, "status:db:not_found"},
		"limit":                      {request{path: "/1/status/dscape/webhooks?limit=101"}, 400, "status:params:invalid"},
		"skip":                       {request{path: "/1/status/dscape/webhooks?skip=-1"}, 400, "status:params:invalid"},
		"unknown route":              {request{path: "/2/deploy"}, 404, "http:not_found"},
		"wrong method":               {request{method: http.MethodPut, path: "/1/deploy", body: "{}"}, 405, "http:method_not_allowed"},
		"auth, no credentials":       {request{path: "/1/auth/github", body: "{}"}, 400, "auth:github:no_credentials"},
		"auth, bad credentials":      {request{path: "/1/auth/github", body: `{"credentials":"no colon"}`}, 400, "auth:github:bad_credentials"},
		"pairing, no credentials":    {request{path: "/1/auth/github", body: `{"credentials":"a:b"}`, anonymous: true}, 401, "mw:auth:unauthorized"},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.send(test.request)
			if got.status != test.status {
				t.Fatalf("got %d %s, want %d", got.status, got.body, test.status)
			}
			if got.header.Get("x-api-uuid") == "" || got.header.Get("x-api-version") == "" {
				t.Errorf("the headers are missing: %v", got.header)
			}
			if test.code == "" {
				return
			}
			if failure := got.json(t); failure["error"] != test.code || failure["uuid"] != got.header.Get("x-api-uuid") {
				t.Errorf("got %s, want %s", got.body, test.code)
			}
			if got.status == 401 && !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Basic realm=") {
				t.Errorf("got WWW-Authenticate %q", got.header.Get("WWW-Authenticate"))
			}
			if got.status == 405 && got.header.Get("Allow") == "" {
				t.Error("there is no Allow")
			}
		})
	}
	if log := s.stderr(); strings.Contains(log, password) || strings.Contains(log, token) {
		t.Error("a credential is in the log")
	}
}

// With a paired account a private repository is deployed, and its commit gets a
// status.
func TestPairedGitHubAccount(t *testing.T) {
	t.Parallel()
	h := github(t)
	s := serve(t, h.flags("--base-url", "https://hooks.example.com")...)
	if _, err := h.CreateRepository(t.Context(), user, "private", true); err != nil {
		t.Fatal(err)
	}
	remote, err := h.GitDir(user, "private")
	if err != nil {
		t.Fatal(err)
	}
	repo := &repository{h: h, name: "private", work: t.TempDir(), remote: remote}
	repo.git("init", "--quiet", "--initial-branch", "main")
	repo.hook(s)
	files := map[string]string{"package.json": packageJSON("private"), "index.js": node("private")}
	repo.commit("first", files)
	failed := answered(repo.pushed())
	if failed.status != 502 || failed.json(t)["error"] != "deploy:github:no_pkg_json" {
		t.Fatalf("without a token: %d %s", failed.status, failed.body)
	}

	const token = "ghp_canary_token"
	h.AddUser(user, token, []string{"repo"})
	pair := func(credentials string) answer {
		return s.send(request{path: "/1/auth/github", body: text(t, object{"credentials": credentials})})
	}
	for _, wrong := range []string{user + ":a password", "another:" + token} {
		if got := pair(wrong); got.status != 401 || got.json(t)["error"] != "auth:github:github_pairing_failed" {
			t.Errorf("%s: got %d %s", wrong, got.status, got.body)
		}
	}
	got := pair(user + ":" + token)
	paired := got.json(t)
	if got.status != 200 || paired["ok"] != true || paired["provider"] != "github" || paired["login"] != user || paired["app"] != "*" {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	commit := repo.commit("second", map[string]string{"index.js": node("private, second")})
	if got := answered(repo.pushed()); got.status != 200 {
		t.Fatalf("with the token: %d %s", got.status, got.body)
	}
	if app := s.app("private.localhost"); app.body != "private, second" {
		t.Errorf("the app answers %d %s", app.status, app.body)
	}
	statuses := h.Statuses(user, "private", commit)
	const link = "https://hooks.example.com/-/entries/"
	if len(statuses) != 2 || statuses[0].State != "success" || statuses[1].State != "pending" ||
		statuses[0].TargetURL == nil || !strings.HasPrefix(*statuses[0].TargetURL, link) {
		t.Errorf("got %+v", statuses)
	}
	deployments := h.Deployments(user, "private", commit)
	if len(deployments) != 1 || deployments[0].Environment != "private" || len(deployments[0].Statuses) != 2 ||
		deployments[0].Statuses[0].State != "in_progress" || deployments[0].Statuses[1].State != "success" ||
		!strings.HasPrefix(deployments[0].Statuses[1].EnvironmentURL, "http://private.localhost") ||
		!strings.HasPrefix(deployments[0].Statuses[1].LogURL, link) {
		t.Errorf("got %+v", deployments)
	}
	commit = repo.commit("third", map[string]string{"index.js": "process.exit(1)"})
	answered(repo.pushed()).failure(t, 500, "deploy:nodejitsu:start_app")
	if statuses := h.Statuses(user, "private", commit); len(statuses) != 2 || statuses[0].State != "failure" {
		t.Errorf("got %+v", statuses)
	}
	if d := h.Deployments(user, "private", commit); len(d) != 1 || len(d[0].Statuses) != 2 || d[0].Statuses[1].State != "failure" {
		t.Errorf("got %+v", d)
	}
	everything := s.stderr() + s.send(request{path: "/1/status/dscape/webhooks"}).body
	if strings.Contains(everything, token) {
		t.Error("the token is in the log or in the entries")
	}
	for _, r := range h.Requests() {
		if r.Archive && r.Authorization {
			t.Errorf("a credential was sent to the archive's host: %+v", r)
		}
	}
}

// An app that guesses passwords does not delay logins of people on the same machine.
// Its requests to the platform's API are refused.
func TestPasswordGuessingByAnApp(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		return // apps run as the user of the server then; see deployer/README.md
	}
	s := serve(t)
	for _, door := range []struct {
		url  string
		last string // what it gets when it has guessed often
	}{{s.api + "/1/status/" + user + "/webhooks", "429"}, {s.platform + "/auth", "403"}} {
		app := exec.CommandContext(t.Context(), "node", "-e", `(async () => {
			const [url, user] = process.argv.slice(1);
			let status;
			for (let i = 0; i < 12; i++) {
				const authorization = 'Basic ' + Buffer.from(user + ':guess').toString('base64');
				status = (await fetch(url, { headers: { authorization, 'x-forwarded-for': '127.0.0.1' } })).status;
			}
			console.log(status);
		})()`, door.url, user) //nolint:gosec // the test's own
		app.Dir = "/"
		app.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 50_123, Gid: 50_123}}
		got, err := app.CombinedOutput()
		if err != nil || strings.TrimSpace(string(got)) != door.last {
			t.Errorf("an app that guesses at %s gets %q, %v; want %s", door.url, got, err, door.last)
		}
	}
	if got := s.send(request{path: "/1/status/" + user + "/webhooks"}); got.status != 200 {
		t.Errorf("then I get %d %s", got.status, got.body)
	}
	door := &server{t: t, api: s.platform}
	if got := door.send(request{path: "/auth"}); got.status != 200 {
		t.Errorf("at the platform I get %d %s", got.status, got.body)
	}
}

// Failed logins are throttled, at the platform's API too. An API token that was
// accepted before is not, because a token can not be guessed.
func TestFailedLoginsAreThrottled(t *testing.T) {
	t.Parallel()
	s := serve(t)
	token := user + ":" + strings.TrimSpace(s.run("", "tokens", "add", user, "hook", "--data", s.data))
	if got := s.send(request{path: "/1/status/dscape/webhooks", credentials: token}); got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	for range 10 {
		s.send(request{path: "/1/status/dscape/webhooks", credentials: user + ":wrong"}).failure(t, 401, "mw:auth:unauthorized")
	}
	slower := s.send(request{path: "/1/status/dscape/webhooks"})
	slower.failure(t, 429, "http:too_many_tries")
	if slower.header.Get("Retry-After") == "" {
		t.Error("Retry-After is missing")
	}
	s.send(request{path: "/1/deploy", credentials: token, body: `{"zen":"x","hook_id":1}`, header: event("ping")}).change(t, 200, "ok")
	door := &server{t: t, api: s.platform}
	for range 10 {
		door.send(request{path: "/auth", credentials: user + ":wrong"}).failure(t, 401, "unauthorized")
	}
	door.send(request{path: "/auth"}).failure(t, 429, "too_many_tries")
}

// The commands change the password, the address and the tokens of an account while
// the server runs. Removed credentials are refused.
func TestAccountCommands(t *testing.T) {
	t.Parallel()
	s := serve(t)
	command := func(stdin string, args ...string) string {
		t.Helper()
		return strings.TrimSpace(s.run(stdin, append(args, "--data", s.data)...))
	}
	is := func(credentials string, status int) {
		t.Helper()
		if got := s.send(request{path: "/1/status/dscape/webhooks", credentials: credentials}); got.status != status {
			t.Errorf("%s: got %d %s, want %d", credentials, got.status, got.body, status)
		}
	}
	command("", "users", "email", user, "dscape@example.org")
	if list := command("", "users", "list"); list != user+"  dscape@example.org" {
		t.Errorf("got %q", list)
	}
	token := user + ":" + command("", "tokens", "add", user, "ci")
	is(token, 200)
	refused := exec.CommandContext(t.Context(), program, "tokens", "add", user, "ci", "--data", s.data)
	if out, err := refused.CombinedOutput(); err == nil || !strings.Contains(string(out), "one of that name already") {
		t.Errorf("a token of the same name: %v %s", err, out)
	}
	is(token, 200)
	is(user+":"+password, 200)
	command("a new password\n", "users", "passwd", user, "--new-password-file", "-")
	is(user+":"+password, 401)
	is(user+":a new password", 200)
	is(token, 200)
	command("", "tokens", "remove", user, "ci")
	is(token, 401)
	command("", "users", "remove", user, "--yes")
	is(user+":a new password", 401)
	if list := command("", "users", "list"); list != "" {
		t.Errorf("got %q", list)
	}
}
