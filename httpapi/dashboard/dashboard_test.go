package dashboard_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/apps"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/httpapi/dashboard"
	"github.com/nodejitsu/webhooks/httpapi/serve"
	"github.com/nodejitsu/webhooks/httpapi/serve/throttle"
)

const (
	password = "correct horse"
	entryID  = "2b3de47c2ce04a9dda4d31aac5000bab"
)

// fakes are the use cases. The embedded interfaces are nil: a method that a test
// does not expect panics.
type fakes struct {
	dashboard.Status
	dashboard.Deploy
	dashboard.Apps
	dashboard.Auth

	password atomic.Value // of dscape
	entries  []core.Entry
	released []string // what was released or removed
	byToken  bool     // the password is an API token
}

func (f *fakes) Authenticate(_ context.Context, c *core.Credentials) (core.Account, error) {
	switch {
	case c.Username == "down":
		return core.Account{}, core.NewError(core.CodeAuthServerDown, "", errors.New("down"))
	case c.Username != "dscape" || c.Password.Reveal() != f.password.Load():
		return core.Account{}, core.NewError(core.CodeUnauthorized, "", nil)
	}
	return core.Account{Username: "dscape", Token: f.byToken}, nil
}

func (f *fakes) WebhookSecrets(context.Context, string) ([]auth.WebhookSecret, error) {
	return []auth.WebhookSecret{{Name: "github", Required: true, Target: &core.Target{App: "hello", Branch: "staging"}}}, nil
}

func (f *fakes) APITokens(context.Context, string) ([]string, error) { return []string{"laptop"}, nil }

func (f *fakes) AddAPIToken(_ context.Context, _, name string, _ bool) (core.Secret, error) {
	if name == "taken" {
		return core.Secret{}, core.NewError(core.CodeAccountConflict, "", nil)
	}
	return core.NewSecret("token-of-" + name), nil
}

func (f *fakes) RemoveAPIToken(_ context.Context, user, name string) error {
	f.released = append(f.released, user+" token "+name)
	return nil
}

func (f *fakes) RemoveSecret(_ context.Context, user, name string) error {
	f.released = append(f.released, user+" secret "+name)
	return nil
}

func (f *fakes) Forges() []auth.Forge { return nil }

type fakeStatus struct{ *fakes }

func (f fakeStatus) List(_ context.Context, _, app string, skip, limit int) ([]core.Entry, int, error) {
	var all []core.Entry
	for _, e := range f.entries {
		if app == "" || e.App == app {
			all = append(all, e)
		}
	}
	total := len(all)
	if total == 0 && app != "" {
		return nil, 0, core.NewError(core.CodeStatusNotFound, "", nil)
	}
	all = all[min(skip, total):]
	return all[:min(limit, len(all))], total, nil
}

func (f fakeStatus) Entry(_ context.Context, user, id string) (core.Change, error) {
	for _, e := range f.entries {
		if user == "dscape" && e.ID == id {
			return core.Change{Entry: e}, nil
		}
	}
	return core.Change{}, core.NewError(core.CodeStatusNotFound, "", nil)
}

func (f fakeStatus) Payload(context.Context, string, string) ([]byte, error) {
	return []byte(`{"script":"</pre><script>alert(1)</script>"}`), nil
}

type fakeDeploy struct{ *fakes }

func (f fakeDeploy) Release(_ context.Context, user, id string) (core.Change, error) {
	f.released = append(f.released, user+" "+id)
	return core.Change{Entry: core.Entry{ID: id}}, nil
}

type fakeApps struct{ *fakes }

func (f fakeApps) Stop(_ context.Context, user, app string) error {
	f.released = append(f.released, "stopped "+user+" "+app)
	return nil
}

func (f fakeApps) RemoveVariable(_ context.Context, _, _, name string) error {
	f.released = append(f.released, "no variable "+name)
	return nil
}

func (f fakeApps) RemoveDomain(_ context.Context, _, _, domain string) error {
	f.released = append(f.released, "no domain "+domain)
	return nil
}

func (fakeApps) List(context.Context, string) ([]apps.App, error) {
	return []apps.App{{Name: "hello", State: "started", Drones: 2, URL: "http://hello.example.com"}}, nil
}

func (fakeApps) Get(context.Context, string, string) (apps.App, error) {
	return apps.App{Name: "hello", State: "started", Memory: 73<<20 + 1, Env: map[string]string{
		"GREETING": "hi", "API_TOKEN": "canary-1", "DATABASE_URL": "postgres://u:canary-2@db/x",
	}}, nil
}

// client is a browser without JavaScript.
type client struct {
	*http.Client
	t   *testing.T
	url string
}

// answer is an answer, read whole.
type answer struct {
	code   int
	header http.Header
	body   string
}

func start(t *testing.T, f *fakes, adjust func(*dashboard.Options)) client {
	t.Helper()
	if f.password.Load() == nil {
		f.password.Store(password)
	}
	o := dashboard.Options{
		Status: fakeStatus{f}, Deploy: fakeDeploy{f}, Auth: f, Apps: fakeApps{f},
		Answer: func(c core.Change, _ string) (string, error) { return "HTTP 200 OK about " + c.Entry.ID, nil },
		Key:    func() core.Secret { return core.NewSecret("key") }, Logins: throttle.New(throttle.Options{Free: 3}),
	}
	if adjust != nil {
		adjust(&o)
	}
	server := httptest.NewServer(dashboard.New(o))
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return client{&http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, t, server.URL}
}

func (c client) send(method, path string, form url.Values, headers ...string) answer {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	response, err := c.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	var body strings.Builder
	if err := response.Write(&body); err != nil {
		c.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, body.String()}
}

var tokenForm = regexp.MustCompile(`name="token" value="([^"]+)"`)

// token returns the token of the forms on a page.
func (c client) token(path string) string {
	c.t.Helper()
	page := c.send("GET", path, nil)
	found := tokenForm.FindStringSubmatch(page.body)
	if found == nil {
		c.t.Fatalf("%s has no form with a token: %s", path, page.body)
	}
	return found[1]
}

// signIn sends the form for signing in.
func (c client) signIn(user, password string) answer {
	c.t.Helper()
	return c.send("POST", "/-/sign-in", url.Values{"token": {c.token("/-/sign-in")}, "user": {user}, "password": {password}})
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	f := &fakes{}
	c := start(t, f, nil)
	if got := c.send("GET", "/-/history?app=a", nil); got.code != 303 || got.header.Get("Location") != "/-/sign-in?next=%2F-%2Fhistory%3Fapp%3Da" {
		t.Fatalf("without a session: %d %v", got.code, got.header)
	}
	if got := c.signIn("dscape", "wrong"); got.code != 422 || !strings.Contains(got.body, "wrong") {
		t.Errorf("with a wrong password: %d", got.code)
	}
	if got := c.signIn("down", "x"); got.code != 503 {
		t.Errorf("while the platform is down: %d", got.code)
	}
	got := c.signIn("dscape", password)
	cookie := got.header.Get("Set-Cookie")
	if got.code != 303 || !strings.Contains(cookie, "; HttpOnly; SameSite=Lax") || strings.Contains(cookie, "Secure") {
		t.Errorf("signed in: %d %q", got.code, cookie)
	}
	if got := c.send("GET", "/", nil); got.code != 200 || !strings.Contains(got.body, "dscape") {
		t.Errorf("the first page: %d", got.code)
	}
	// Another password ends the session.
	f.password.Store("another")
	if got := c.send("GET", "/", nil); got.code != 303 {
		t.Errorf("after the password was changed: %d", got.code)
	}
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	c := start(t, &fakes{}, nil)
	c.signIn("dscape", password)
	if got := c.send("POST", "/-/sign-out", url.Values{}); got.code != 403 {
		t.Errorf("without a token: %d", got.code)
	}
	if got := c.send("POST", "/-/sign-out", url.Values{"token": {c.token("/")}}); got.code != 303 {
		t.Errorf("got %d", got.code)
	}
	if got := c.send("GET", "/", nil); got.code != 303 {
		t.Errorf("the session did not end: %d", got.code)
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	c := start(t, &fakes{}, func(o *dashboard.Options) {
		o.Now = func() time.Time { return time.Unix(now.Load(), 0) }
	})
	c.signIn("dscape", password)
	for range 3 { // a session that is used goes on
		now.Add(7 * 3600)
		if got := c.send("GET", "/", nil); got.code != 200 {
			t.Fatalf("while it is used: %d", got.code)
		}
	}
	now.Add(13 * 3600)
	if got := c.send("GET", "/", nil); got.code != 303 {
		t.Errorf("unused for long: %d", got.code)
	}
}

// A session of another key, or one that was changed, is none.
func TestForgedSession(t *testing.T) {
	t.Parallel()
	c := start(t, &fakes{}, nil)
	c.signIn("dscape", password)
	u, err := url.Parse(c.url)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range c.Jar.Cookies(u) {
		for i := 0; i < len(cookie.Value); i += 7 {
			changed := []byte(cookie.Value)
			changed[i] ^= 1
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/", http.NoBody)
			r.AddCookie(&http.Cookie{Name: cookie.Name, Value: string(changed)}) //nolint:gosec // it is sent, not set
			w := httptest.NewRecorder()
			c.handler(func(*dashboard.Options) {}).ServeHTTP(w, r)
			if w.Code != 303 {
				t.Fatalf("byte %d: %d", i, w.Code)
			}
		}
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", http.NoBody)
		r.AddCookie(cookie)
		w := httptest.NewRecorder()
		c.handler(func(o *dashboard.Options) { o.Key = func() core.Secret { return core.NewSecret("other") } }).ServeHTTP(w, r)
		if w.Code != 303 {
			t.Errorf("another key: %d", w.Code)
		}
	}
}

// handler returns another dashboard with the same users.
func (c client) handler(adjust func(*dashboard.Options)) http.Handler {
	f := &fakes{}
	f.password.Store(password)
	o := dashboard.Options{
		Status: fakeStatus{f}, Deploy: fakeDeploy{f}, Auth: f, Apps: fakeApps{f},
		Key: func() core.Secret { return core.NewSecret("key") }, Logins: throttle.New(throttle.Options{}),
	}
	adjust(&o)
	return dashboard.New(o)
}

// The page about a failure leads back to the form.
func TestBack(t *testing.T) {
	t.Parallel()
	c := start(t, &fakes{}, nil)
	c.signIn("dscape", password)
	token := c.token("/-/account")
	for path, want := range map[string]string{
		"/-/apps/hello/nothing":        "/-/apps/hello",
		"/-/apps/a%2Fb/nothing":        "/-/apps/a%2Fb",
		"/-/entries/" + entryID + "/x": "/-/entries/" + entryID,
		"/-/account/tokens":            "/-/account",
	} {
		if got := c.send("POST", path, url.Values{"token": {token}, "name": {"taken"}}); got.code < 400 || !strings.Contains(got.body, `<a href="`+want+`">Go back</a>`) {
			t.Errorf("%s: got %d %s, want a link to %s", path, got.code, got.body, want)
		}
	}
	for method, path := range map[string]string{"GET": "/-/nothing", "POST": "/-/sign-out"} {
		if got := c.send(method, path, url.Values{"token": {"of another session"}}); got.code < 400 || strings.Contains(got.body, "Go back") {
			t.Errorf("%s %s: %d, and leads back: %s", method, path, got.code, got.body)
		}
	}
}

// The first page has the server's warnings as long as there are some.
func TestWarnings(t *testing.T) {
	t.Parallel()
	warnings := []string{"The disk has only 3 MiB left."}
	c := start(t, &fakes{}, func(o *dashboard.Options) { o.Warnings = func() []string { return warnings } })
	if got := c.send("GET", "/-/sign-in", nil); strings.Contains(got.body, warnings[0]) {
		t.Error("the warning is shown before the user has signed in")
	}
	c.signIn("dscape", password)
	if got := c.send("GET", "/", nil); !strings.Contains(got.body, warnings[0]) || !strings.Contains(got.body, "Warning to the operator") {
		t.Errorf("no warning: %s", got.body)
	}
	warnings = nil
	if got := c.send("GET", "/", nil); strings.Contains(got.body, "Warning to the operator") {
		t.Errorf("a warning of nothing: %s", got.body)
	}
}

func TestGuessesAreThrottled(t *testing.T) {
	t.Parallel()
	c := start(t, &fakes{}, nil)
	var got answer
	for range 6 {
		got = c.signIn("dscape", "guess")
	}
	if got.code != 429 || got.header.Get("Retry-After") == "" {
		t.Errorf("after six guesses: %d %v", got.code, got.header)
	}
	if got = c.signIn("dscape", password); got.code != 429 {
		t.Errorf("the right password after them: %d", got.code)
	}
}

// A form changes something only with its token, and not if a browser says that
// another site has sent it.
func TestForms(t *testing.T) {
	t.Parallel()
	f := &fakes{entries: []core.Entry{{ID: entryID, Status: core.StatusHeld, Hold: &core.Hold{For: "a report"}}}}
	c := start(t, f, nil)
	c.signIn("dscape", password)
	path := "/-/entries/" + entryID + "/release"
	token := c.token("/-/held")
	other := start(t, f, nil)
	other.signIn("dscape", password)
	for name, attempt := range map[string]func() answer{
		"without a token":   func() answer { return c.send("POST", path, url.Values{}) },
		"another session's": func() answer { return c.send("POST", path, url.Values{"token": {other.token("/-/held")}}) },
		"from another site": func() answer { return c.send("POST", path, url.Values{"token": {token}}, "Sec-Fetch-Site: cross-site") },
		"from an app":       func() answer { return c.send("POST", path, url.Values{"token": {token}}, "Sec-Fetch-Site: same-site") },
		"another origin": func() answer {
			return c.send("POST", path, url.Values{"token": {token}}, "Origin: https://evil.example.com")
		},
	} {
		if got := attempt(); got.code != 403 || len(f.released) > 0 {
			t.Errorf("%s: %d, released %v", name, got.code, f.released)
		}
	}
	got := c.send("POST", path, url.Values{"token": {token}}, "Sec-Fetch-Site: same-origin")
	if got.code != 303 || len(f.released) != 1 || f.released[0] != "dscape "+entryID {
		t.Errorf("got %d, released %v", got.code, f.released)
	}
}

// What can't be undone is done after a second form alone.
func TestConfirmation(t *testing.T) {
	t.Parallel()
	f := &fakes{}
	c := start(t, f, nil)
	c.signIn("dscape", password)
	for path, test := range map[string]struct{ form, question, done string }{
		"/-/account/tokens/remove":  {"name=laptop", "Remove the API token laptop?", "dscape token laptop"},
		"/-/account/secrets/remove": {"name=github", "Remove the webhook secret github?", "dscape secret github"},
		"/-/apps/hello/stop":        {"", "Stop hello?", "stopped dscape hello"},
		"/-/apps/hello/environment": {"remove=GREETING", "Remove the variable GREETING of hello?", "no variable GREETING"},
		"/-/apps/hello/domains":     {"remove=www.example.com", "Remove the domain www.example.com of hello?", "no domain www.example.com"},
	} {
		form, err := url.ParseQuery(test.form)
		if err != nil {
			t.Fatal(err)
		}
		form.Set("token", c.token("/-/account"))
		f.released = nil
		got := c.send("POST", path, form)
		if got.code != 200 || !strings.Contains(got.body, test.question) || len(f.released) > 0 {
			t.Errorf("%s: %d, done %v: %s", path, got.code, f.released, got.body)
		}
		for name := range form {
			if !strings.Contains(got.body, `name="`+name+`" value="`+form.Get(name)+`"`) {
				t.Errorf("%s: the form that confirms has no %s", path, name)
			}
		}
		form.Set("confirmed", "yes")
		if got := c.send("POST", path, form); got.code != 303 || !slices.Equal(f.released, []string{test.done}) {
			t.Errorf("%s: %d, done %v", path, got.code, f.released)
		}
	}
}

// A new token is shown once, and none can be made or removed with another one.
func TestTokens(t *testing.T) {
	t.Parallel()
	f := &fakes{}
	c := start(t, f, nil)
	c.signIn("dscape", password)
	if got := c.send("GET", "/-/account", nil); !strings.Contains(got.body, "laptop") || !strings.Contains(got.body, "for hello, branch staging") {
		t.Errorf("the page is %s", got.body)
	}
	form := url.Values{"token": {c.token("/-/account")}, "name": {"ci"}}
	if got := c.send("POST", "/-/account/tokens", form); got.code != 200 || !strings.Contains(got.body, "token-of-ci") || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %d %v: %s", got.code, got.header, got.body)
	}
	f = &fakes{byToken: true}
	c = start(t, f, nil)
	c.signIn("dscape", password)
	form.Set("token", c.token("/-/connect"))
	form.Set("confirmed", "yes")
	for _, path := range []string{"/-/account/tokens", "/-/account/tokens/remove"} {
		if got := c.send("POST", path, form); got.code != 403 || strings.Contains(got.body, "token-of-ci") || len(f.released) > 0 {
			t.Errorf("%s with a token: %d, done %v", path, got.code, f.released)
		}
	}
}

func TestCookiesOverTLS(t *testing.T) {
	t.Parallel()
	c := start(t, &fakes{}, func(o *dashboard.Options) { o.Proxies = serve.Proxies{netip.MustParsePrefix("127.0.0.0/8")} })
	got := c.send("GET", "/-/sign-in", nil, "X-Forwarded-Proto: https")
	if cookie := got.header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "__Host-") || !strings.Contains(cookie, "; Secure; ") {
		t.Errorf("the cookie is %q", cookie)
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	c := start(t, &fakes{}, nil)
	c.signIn("dscape", password)
	for next, want := range map[string]string{
		"/-/held": "/-/held", "": "/", "https://evil.example.com": "/", "//evil.example.com": "/", "/-/..//evil": "/",
		`/-/\evil`: "/", "/-/feed": "/", "/1/deploy": "/",
	} {
		got := c.send("GET", "/-/sign-in?next="+url.QueryEscape(next), nil)
		if location := got.header.Get("Location"); got.code != 303 || location != want {
			t.Errorf("next %q: %d %q, want %q", next, got.code, location, want)
		}
	}
}

// Every page has the strict policy, and nothing in it that the policy forbids; texts
// of others are escaped.
func TestPages(t *testing.T) {
	t.Parallel()
	f := &fakes{entries: []core.Entry{
		{
			ID: entryID, App: "hello", Status: core.StatusError, Kind: core.EventPush, Error: &core.EntryError{Code: core.CodeStartApp, Reason: "it <b>failed</b>"},
			Commit: core.Commit{ID: strings.Repeat("a", 40), Message: "<script>alert(1)</script>", URL: "javascript:alert(1)"},
			URL:    "javascript:alert(2)", FinishedAt: time.Unix(1, 0), Steps: []core.Step{{Name: core.StepStart, State: core.StepFailed, Millis: 1500}},
		},
		{
			ID: strings.Repeat("c", 32), App: "hello", Status: core.StatusOK, Kind: core.EventRelease, Provider: core.ProviderPlatform,
			Event: "rollback", By: "maciej", Reason: "rolled back",
		},
		{ID: strings.Repeat("b", 32), Status: core.StatusIgnored, Kind: core.EventPush, Reason: "another branch"},
	}}
	c := start(t, f, nil)
	c.signIn("dscape", password)
	for path, code := range map[string]int{
		"/": 200, "/-/history": 200, "/-/history?status=ignored": 200, "/-/history?app=none&skip=x": 200, "/-/held": 200,
		"/-/entries/" + entryID: 200, "/-/apps/hello": 200, "/-/connect": 200, "/-/account": 200, "/-/entries/nothing": 404, "/-/nothing": 404, "/-/static/nothing": 404,
		"/-/static/dashboard.js": 200,
	} {
		got := c.send("GET", path, nil)
		policy := got.header.Get("Content-Security-Policy")
		if got.code != code || !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %d, %q", path, got.code, policy)
		}
		for _, bad := range []string{"<script>", "<b>failed", `href="javascript`, " style=", " onclick=", "<style", "canary"} {
			if strings.Contains(got.body, bad) {
				t.Errorf("%s has %q", path, bad)
			}
		}
	}
	if got := c.send("GET", "/-/entries/"+entryID, nil); !strings.Contains(got.body, "HTTP 200 OK about "+entryID) {
		t.Errorf("the page of an entry has no answer: %s", got.body)
	}
	if got := c.send("GET", "/-/entries/"+strings.Repeat("c", 32), nil); !strings.Contains(got.body, "maciej") || !strings.Contains(got.body, "Done") ||
		strings.Contains(got.body, "Redeliver") {
		t.Errorf("a rollback: %s", got.body)
	}
	if got := c.send("GET", "/-/apps/hello", nil); !strings.Contains(got.body, "73 MiB of memory") {
		t.Errorf("the page of an app: %s", got.body)
	}
	if got := c.send("GET", "/-/history?status=ignored", nil); !strings.Contains(got.body, "Another branch.") || strings.Contains(got.body, "alert") {
		t.Errorf("the ignored ones: %s", got.body)
	}
}
