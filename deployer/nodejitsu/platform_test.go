package nodejitsu_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

func pkg(fields string) deploy.Package { return deploy.Package{Name: "a", Fields: []byte(fields)} }

func newPlatform(t *testing.T, handler http.HandlerFunc) (*nodejitsu.Platform, *api) {
	t.Helper()
	a := newAPI(t, handler)
	return nodejitsu.NewPlatform(newClient(t, a.URL)), a
}

// sequence answers each request with the next of handlers, and further requests
// with the last.
func sequence(handlers ...http.HandlerFunc) http.HandlerFunc {
	next := make(chan http.HandlerFunc, len(handlers))
	for _, h := range handlers {
		next <- h
	}
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case h := <-next:
			h(w, r)
		default:
			handlers[len(handlers)-1](w, r)
		}
	}
}

func refused(status int, name, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { refuse(w, status, name, message) }
}

func TestCreate(t *testing.T) {
	t.Parallel()
	missing := refused(http.StatusNotFound, "not_found", "No such app")
	conflict := refused(http.StatusConflict, "conflict", "The subdomain a is taken")
	const look, create = "GET /apps/maciej/a ", `POST /apps/maciej/a {"name":"a","subdomain":"a"}`
	for _, one := range []struct {
		name    string
		handler http.HandlerFunc
		sends   []string
		fails   bool
		want    meaning
	}{
		{"there", written, []string{look}, false, meaning{}},
		{"new", sequence(missing, written), []string{look, create}, false, meaning{}},
		{"created meanwhile", sequence(missing, conflict, written), []string{look, create, look}, false, meaning{}},
		{"subdomain taken", sequence(missing, conflict, missing), []string{look, create, look}, true, meaning{}},
		{"unknown whether created meanwhile", sequence(missing, conflict, refused(503, "busy", "Later")), []string{look, create, look}, true, meaning{again: true}},
		{"not ours", refused(http.StatusForbidden, "forbidden", "No"), []string{look}, true, meaning{is: core.ErrForbidden}},
		{"busy", refused(503, "busy", "Later"), []string{look}, true, meaning{again: true}},
		{"refused", sequence(missing, refused(400, "invalid", "No")), []string{look, create}, true, meaning{}},
		{"no user", missing, []string{look, create}, true, meaning{is: core.ErrNotFound}},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			p, a := newPlatform(t, one.handler)
			err := p.Create(t.Context(), "maciej", pkg(`{"name": "a", "subdomain": "a"}`))
			if one.fails {
				check(t, err, one.want)
			} else if err != nil {
				t.Error(err)
			}
			if got := bodies(a); got != strings.Join(one.sends, "\n") {
				t.Errorf("sent %s", got)
			}
			if one.name == "subdomain taken" && !strings.HasSuffix(err.Error(), "The subdomain a is taken") {
				t.Error(err)
			}
		})
	}
}

func TestUpload(t *testing.T) {
	t.Parallel()
	p, a := newPlatform(t, answers(map[string]string{
		"GET /apps/maciej/a/snapshots":    `{"snapshots":[{"id":"1"},{"id":"2"}]}`,
		"POST /apps/maciej/a/snapshots/3": "built\n",
	}))
	var out strings.Builder
	if err := p.Upload(t.Context(), "maciej", deploy.Package{Name: "a"}, "2", never(t), &out); err != nil || out.String() != "" {
		t.Error(out.String(), err)
	}
	if err := p.Upload(t.Context(), "maciej", deploy.Package{Name: "a"}, "3", strings.NewReader("a tgz"), &out); err != nil || out.String() != "built\n" {
		t.Error(out.String(), err)
	}
	const want = "GET /apps/maciej/a/snapshots \nGET /apps/maciej/a/snapshots \nPOST /apps/maciej/a/snapshots/3 a tgz"
	if got := bodies(a); got != want {
		t.Errorf("sent %s", got)
	}
	check(t, p.Upload(t.Context(), "maciej", deploy.Package{Name: "none"}, "3", never(t), io.Discard), meaning{is: core.ErrNotFound})
}

// starter returns the responses for a start: app before it, started after it.
func starter(app, started string) map[string]string {
	return map[string]string{
		"GET /apps/maciej/a":                          app,
		"PUT /apps/maciej/a":                          `{"ok":true}`,
		"POST /apps/maciej/a/snapshots/9f-1/activate": `{"app":{}}`,
		"POST /apps/maciej/a/start":                   started,
	}
}

// The embedded platform starts a snapshot in one step, with its package.json.
func TestStartOnTheEmbeddedPlatform(t *testing.T) {
	t.Parallel()
	p, a := newPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Powered-By", "Nodejitsu/webhooks")
		written(w, r)
	})
	order := deploy.Order{Entry: 7, Attempt: 2}
	const start = `POST /apps/maciej/a/start {"snapshot":"9f-1"}`
	for _, want := range []string{"GET /apps/maciej/a \n" + start, "GET /apps/maciej/a \n" + start + "\n" + start} {
		url, err := p.Start(t.Context(), "maciej", pkg(`{"name":"a","env":{"A":"1"}}`), "9f-1", order)
		if err != nil || url != "http://a.localhost" {
			t.Errorf("%q, %v", url, err)
		}
		if got := bodies(a); got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
	}
	if got := a.requests()[1].order; got != order.String() {
		t.Errorf("sent with the order %q", got)
	}
}

// A rollback names its snapshot. A platform that starts only the active one has it
// activated, until it fails to start.
func TestRollback(t *testing.T) {
	t.Parallel()
	const look, back = "GET /apps/maciej/a ", `POST /apps/maciej/a/start {"snapshot":"9f-1"}`
	const steps = look + "\nPOST /apps/maciej/a/snapshots/9f-1/activate {}\nPOST /apps/maciej/a/start {}"
	embedded := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Powered-By", "Nodejitsu/webhooks")
		written(w, r)
	}
	const app = `{"app":{"url":"http://a.localhost","active":{"id":"9f-2"}}}`
	for name, one := range map[string]struct {
		handler http.HandlerFunc
		sends   string
		fails   bool
	}{
		"the embedded platform":  {embedded, look + "\n" + back + "\n" + back, false},
		"another":                {answers(starter(app, app)), steps + "\n" + steps, false},
		"another, not started":   {answers(starter(app, "409 it is busy")), strings.Repeat("\n"+steps+"\nPOST /apps/maciej/a/snapshots/9f-2/activate {}", 2)[1:], true},
		"another, not activated": {answers(map[string]string{"GET /apps/maciej/a": app}), strings.Repeat("\n"+look+"\nPOST /apps/maciej/a/snapshots/9f-1/activate {}", 2)[1:], true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, one.handler)
			c := newClient(t, a.URL)
			for range 2 {
				started, err := c.Rollback(t.Context(), "maciej", "a", "9f-1")
				if (err != nil) != one.fails || one.fails != (started.URL == "") {
					t.Errorf("started %q, %v", started.URL, err)
				}
			}
			if got := bodies(a); got != one.sends {
				t.Errorf("sent\n%s\nwant\n%s", got, one.sends)
			}
		})
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	const steps = "GET /apps/maciej/a\nPUT /apps/maciej/a\nPOST /apps/maciej/a/snapshots/9f-1/activate\nPOST /apps/maciej/a/start"
	for _, one := range []struct {
		name, app, started string
		sends, url         string
	}{
		{"URL in the response", `{"app":{}}`, `{"app":{"url":"http://a.localhost:8080","domains":["b.example.org"]}}`, steps, "http://a.localhost:8080"},
		{"URL of the app", `{"app":{"url":"http://a.localhost:8080"}}`, `{"app":{}}`, steps + "\nGET /apps/maciej/a", "http://a.localhost:8080"},
		{"empty response", `{"app":{"url":"http://a.localhost:8080"}}`, ``, steps + "\nGET /apps/maciej/a", "http://a.localhost:8080"},
		{"a domain", `{"app":{"domains":["b.example.org","c.example.org"]}}`, `{"ok":true}`, steps + "\nGET /apps/maciej/a", "http://b.example.org"},
		{"no address", `{"app":{"subdomain":"a"}}`, `{"app":{}}`, steps + "\nGET /apps/maciej/a", ""},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			p, a := newPlatform(t, answers(starter(one.app, one.started)))
			url, err := p.Start(t.Context(), "maciej", pkg(`{"name":"a"}`), "9f-1", deploy.Order{})
			if err != nil || url != one.url {
				t.Errorf("%q, %v, want %q", url, err, one.url)
			}
			if got := a.lines(); got != one.sends {
				t.Errorf("sent\n%s", got)
			}
		})
	}
}

// Each write of a start has the order of the deployment, and no other call has; a
// person's start has none.
func TestStartInOrder(t *testing.T) {
	t.Parallel()
	p, a := newPlatform(t, answers(starter(`{"app":{"url":"http://a"}}`, `{"app":{"url":"http://a"}}`)))
	for _, order := range []deploy.Order{{Entry: 12, Attempt: 1}, {}} {
		if _, err := p.Start(t.Context(), "maciej", pkg(`{}`), "9f-1", order); err != nil {
			t.Fatal(err)
		}
	}
	for i, r := range a.requests() {
		want := ""
		if r.method != http.MethodGet && i < 4 {
			want = "0000000000000012-00000001"
		}
		if r.order != want {
			t.Errorf("%s %s with the order %q, want %q", r.method, r.uri, r.order, want)
		}
	}
}

func TestStartUpdates(t *testing.T) {
	t.Parallel()
	for _, one := range []struct{ name, env, fields, sends string }{
		{"no env", `{"A":"1"}`, `{"name":"a","version":"1.0.0","x":[1, 2]}`, `{"name":"a","version":"1.0.0","x":[1,2]}`},
		{"laid over", `{"A":"1","B":"2"}`, `{"env":{"B":"3","C":"4"}}`, `{"env":{"A":"1","B":"3","C":"4"},"packageEnv":["B","C"]}`},
		{"removed", `{"A":"1","B":"2","C":"3"},"packageEnv":["B","C"]`, `{"env":{"C":"4"}}`, `{"env":{"A":"1","C":"4"},"packageEnv":["C"]}`},
		{"all removed", `{"A":"1","B":"2"},"packageEnv":["B"]`, `{"name":"a"}`, `{"env":{"A":"1"},"name":"a","packageEnv":[]}`},
		{"as they are", `{"N":7,"T":true}`, `{"env":{"B":3,"F":false,"O":{"x":1}}}`, `{"env":{"N":"7","T":"true","B":3,"F":false,"O":{"x":1}},"packageEnv":["B","F","O"]}`},
		{"null", `{"A":"1"}`, `{"env":{"A":null,"B":null}}`, `{"env":{"A":"1"}}`},
		{"none", `{"A":"1"}`, `{"env":null}`, `{"env":{"A":"1"}}`},
		{"none before", `null`, `{"env":{"A":"1"}}`, `{"env":{"A":"1"},"packageEnv":["A"]}`},
		{"no env at all", `[]`, `{"env":{"A":"1"}}`, `{"env":{"A":"1"},"packageEnv":["A"]}`},
		{"left to the platform", `{"A":"1"}`, `{"env":"A=2"}`, `{"env":"A=2"}`},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			p, a := newPlatform(t, answers(starter(`{"app":{"url":"http://a","env":`+one.env+`}}`, `{"app":{"url":"http://a"}}`)))
			if _, err := p.Start(t.Context(), "maciej", pkg(one.fields), "9f-1", deploy.Order{}); err != nil {
				t.Fatal(err)
			}
			var got, want any
			if err := errors.Join(json.Unmarshal([]byte(a.requests()[1].body), &got), json.Unmarshal([]byte(one.sends), &want)); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("updated with %s, want %s", a.requests()[1].body, one.sends)
			}
		})
	}
}

// After a step that fails there is no further one.
func TestStartFails(t *testing.T) {
	t.Parallel()
	for step, last := range map[string]string{
		"GET /apps/maciej/a":                          "GET /apps/maciej/a",
		"PUT /apps/maciej/a":                          "PUT /apps/maciej/a",
		"POST /apps/maciej/a/snapshots/9f-1/activate": "POST /apps/maciej/a/snapshots/9f-1/activate",
		"POST /apps/maciej/a/start":                   "POST /apps/maciej/a/start",
	} {
		for answer, want := range map[string]meaning{"503 Later": {again: true}, "409 Never": {}} {
			table := starter(`{"app":{"url":"http://a"}}`, `{"app":{}}`)
			table[step] = answer
			p, a := newPlatform(t, answers(table))
			url, err := p.Start(t.Context(), "maciej", pkg(`{"name":"a"}`), "9f-1", deploy.Order{})
			check(t, err, want)
			if url != "" || !strings.HasSuffix(a.lines(), last) {
				t.Errorf("%s: %q after %s", step, url, a.lines())
			}
		}
	}
	for _, fields := range []string{"", "null", "[]", `"canary"`, "{"} {
		p, a := newPlatform(t, answers(starter(`{"app":{}}`, `{"app":{}}`)))
		_, err := p.Start(t.Context(), "maciej", pkg(fields), "9f-1", deploy.Order{})
		check(t, err, meaning{})
		if got := a.lines(); got != "GET /apps/maciej/a" {
			t.Errorf("%q: sent %s", fields, got)
		}
	}
}

// The last lines of an app are in the error of a failed start.
func TestStartErrorHasReason(t *testing.T) {
	t.Parallel()
	const message = "The app ended with 1. Its last lines: Error: no config"
	table := answers(starter(`{"app":{}}`, ``))
	p, _ := newPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/start") {
			refuse(w, http.StatusInternalServerError, "start_failed", message)
			return
		}
		table(w, r)
	})
	_, err := p.Start(t.Context(), "maciej", pkg(`{}`), "9f-1", deploy.Order{})
	check(t, err, meaning{})
	if err.Error() != "nodejitsu: start app: "+message {
		t.Error(err)
	}
}

// The entry of a failed start has the reason and the last lines, each once.
func TestStartErrorReadsWell(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ message, detail string }{
		{"drone 1 exited with code 1\nError: no config\nat x.js", "Error: no config\nat x.js"},
		{"drone 1 listens on port 3000 instead of $PORT (41234)", ""},
	} {
		err := &nodejitsu.Error{Doing: "start app", Message: test.message, Code: core.CodePlatformStartFailed}
		reason, _, _ := strings.Cut(test.message, "\n")
		if got := core.AsError(core.Explain(core.CodeStartApp, err)); !strings.Contains(got.Reason, reason+". ") || got.Detail != test.detail {
			t.Errorf("got %q and %q", got.Reason, got.Detail)
		}
	}
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	p, a := newPlatform(t, func(w http.ResponseWriter, r *http.Request) {
		if _, given, _ := r.BasicAuth(); given != password.Reveal() {
			refuse(w, http.StatusUnauthorized, "unauthorized", "No")
			return
		}
		_, _ = io.WriteString(w, `{"user":{"username":"mmalecki"}}`)
	})
	got, err := p.Authenticate(t.Context(), core.Credentials{Username: "mmalecki", Password: password})
	if err != nil || got.Username != "mmalecki" {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = p.Authenticate(t.Context(), core.Credentials{Username: "mmalecki", Password: core.NewSecret("wrong")})
	check(t, err, meaning{is: core.ErrUnauthorized})
	if r := a.requests(); len(r) != 2 || r[0].user != "mmalecki" {
		t.Errorf("asked %+v", r)
	}
}

// The service user and invalid names are refused without a request.
func TestAuthenticateRefuses(t *testing.T) {
	t.Parallel()
	p, a := newPlatform(t, written)
	for _, name := range []string{
		core.ServiceUser, "", "Maciej", "a:b", "../a", "a b", "a/b", "-a", "ä", "a\x00", strings.Repeat("a", core.MaxName+1),
	} {
		got, err := p.Authenticate(t.Context(), core.Credentials{Username: name, Password: password})
		check(t, err, meaning{is: core.ErrUnauthorized})
		if got != (core.Account{}) {
			t.Errorf("%q is %+v", name, got)
		}
	}
	_, err := p.Authenticate(t.Context(), core.Credentials{Username: "maciej"})
	check(t, err, meaning{is: core.ErrUnauthorized})
	if got := a.lines(); got != "" {
		t.Errorf("asked %s", got)
	}
}

// A failure to verify credentials does not mean that they are wrong.
func TestAuthenticateFailure(t *testing.T) {
	t.Parallel()
	p, _ := newPlatform(t, refused(http.StatusBadGateway, "", ""))
	_, err := p.Authenticate(t.Context(), core.Credentials{Username: "maciej", Password: password})
	check(t, err, meaning{again: true})

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.Authenticate(ctx, core.Credentials{Username: "maciej", Password: password})
	check(t, err, meaning{})
}

func TestPlatformTokens(t *testing.T) {
	t.Parallel()
	p, a := newPlatform(t, answers(map[string]string{
		"GET /users/maciej/thirdparty":  `[{"id":"1","provider":"github","token":"ghp_1"}]`,
		"POST /users/maciej/thirdparty": `{"ok":true}`,
	}))
	tokens, err := p.Tokens(t.Context(), "maciej", true)
	if err != nil || len(tokens) != 1 || tokens[0].App != core.AnyApp || tokens[0].Token.Reveal() != "ghp_1" {
		t.Fatal(tokens, err)
	}
	if err := p.SetToken(t.Context(), "maciej", tokens[0]); err != nil {
		t.Fatal(err)
	}
	if got := a.requests()[1].body; got != `{"id":"1","provider":"github","app":"*","token":"ghp_1"}` {
		t.Errorf("sent %s", got)
	}
	_, err = p.Tokens(t.Context(), "unknown", true)
	check(t, err, meaning{is: core.ErrNotFound})
	check(t, p.SetToken(t.Context(), "unknown", tokens[0]), meaning{is: core.ErrNotFound})
}
