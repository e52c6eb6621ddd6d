package nodejitsu_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

// call is a method of a Client, with the request it sends and the value it returns
// for a response.
type call struct {
	name   string
	do     func(context.Context, *nodejitsu.Client) (any, error)
	sends  string // METHOD /uri body
	answer string
	reads  string // as %+v prints it
}

// nothing adapts a method that returns only an error.
func nothing(do func(context.Context, *nodejitsu.Client) error) func(context.Context, *nodejitsu.Client) (any, error) {
	return func(ctx context.Context, c *nodejitsu.Client) (any, error) { return nil, do(ctx, c) }
}

// calls returns a call of each method of a Client.
func calls() []call {
	return append(appCalls(), userCalls()...)
}

func appCalls() []call {
	return []call{
		{
			"Apps", func(ctx context.Context, c *nodejitsu.Client) (any, error) {
				apps, err := c.Apps(ctx, "maciej")
				names := make([]string, 0, len(apps))
				for _, a := range apps {
					names = append(names, a.ID+" "+a.State)
				}
				return names, err
			},
			"GET /apps/maciej ",
			`{"apps":[{"_id":"maciej/a","state":"started"},{"_id":"maciej/b","state":"stopped"}]}`, "[maciej/a started maciej/b stopped]",
		},
		{
			"App", func(ctx context.Context, c *nodejitsu.Client) (any, error) {
				a, err := c.App(ctx, "maciej", "a.b-c_d")
				return a.Subdomain + " " + a.URL, err
			},
			"GET /apps/maciej/a.b-c_d ", `{"app":{"subdomain":"abcd","url":"http://abcd.localhost"}}`, "abcd http://abcd.localhost",
		},
		{
			"CreateApp", nothing(func(ctx context.Context, c *nodejitsu.Client) error {
				return c.CreateApp(ctx, "maciej", "a", map[string]string{"name": "a"})
			}),
			`POST /apps/maciej/a {"name":"a"}`, `{"app":{}}`, "<nil>",
		},
		{
			"UpdateApp", nothing(func(ctx context.Context, c *nodejitsu.Client) error {
				return c.UpdateApp(ctx, "maciej", "a", map[string]any{"env": nodejitsu.Env{"A": "1"}})
			}),
			`PUT /apps/maciej/a {"env":{"A":"1"}}`, `{"app":{}}`, "<nil>",
		},
		{
			"DestroyApp", nothing(func(ctx context.Context, c *nodejitsu.Client) error { return c.DestroyApp(ctx, "maciej", "a") }),
			"DELETE /apps/maciej/a {}", `{"ok":true}`, "<nil>",
		},
		{
			"Endpoints", func(ctx context.Context, c *nodejitsu.Client) (any, error) { return c.Endpoints(ctx) },
			"GET /endpoints ", `{"endpoints":{"joyent":{"us-east-1":"api.example.org"}}}`, "map[joyent:map[us-east-1:api.example.org]]",
		},
		{
			"Cloud", func(ctx context.Context, c *nodejitsu.Client) (any, error) { return c.Cloud(ctx, "maciej", "a") },
			"GET /apps/maciej/a/cloud ", `[{"provider":"joyent","datacenter":"us-east-1","drones":2,"ram":256}]`,
			"[{Provider:joyent Datacenter:us-east-1 Drones:2 RAM:256 CPUs:<nil> Processes:0}]",
		},
		{
			"SetCloud", nothing(func(ctx context.Context, c *nodejitsu.Client) error {
				return c.SetCloud(ctx, "maciej", "a", []nodejitsu.Cloud{{Drones: 2, RAM: 256}})
			}),
			`POST /apps/maciej/a/cloud [{"provider":"","datacenter":"","drones":2,"ram":256}]`, `[{"drones":2}]`, "<nil>",
		},
		{
			"StartApp", func(ctx context.Context, c *nodejitsu.Client) (any, error) {
				app, err := c.StartApp(ctx, "maciej", "a")
				return app.URL, err
			},
			"POST /apps/maciej/a/start {}", `{"app":{"url":"http://a.localhost"}}`, "http://a.localhost",
		},
		{
			"StopApp", nothing(func(ctx context.Context, c *nodejitsu.Client) error { return c.StopApp(ctx, "maciej", "a") }),
			"POST /apps/maciej/a/stop {}", `{"app":{}}`, "<nil>",
		},
		{
			"RestartApp", nothing(func(ctx context.Context, c *nodejitsu.Client) error { return c.RestartApp(ctx, "maciej", "a") }),
			"POST /apps/maciej/a/restart {}", `{"app":{}}`, "<nil>",
		},
		{
			"Snapshots", func(ctx context.Context, c *nodejitsu.Client) (any, error) { return c.Snapshots(ctx, "maciej", "a") },
			"GET /apps/maciej/a/snapshots ",
			`{"snapshots":[{"id":"1.0.0-9f","ctime":"2013-05-06T07:08:09.010Z","md5":"d41d","filename":"1.0.0-9f.tgz","active":true,"running":false}]}`,
			"[{ID:1.0.0-9f CTime:2013-05-06 07:08:09.01 +0000 UTC MD5:d41d Filename:1.0.0-9f.tgz Active:true Running:false Served:false}]",
		},
		{
			"Snapshot", func(ctx context.Context, c *nodejitsu.Client) (any, error) {
				file, err := c.Snapshot(ctx, "maciej", "a", "1.0.0-9f")
				if err != nil {
					return nil, err
				}
				text, err := io.ReadAll(file)
				if err != nil {
					return nil, err
				}
				return string(text), file.Close()
			},
			"GET /apps/maciej/a/snapshots/1.0.0-9f.tgz ", "a tgz", "a tgz",
		},
		{
			"UploadSnapshot", func(ctx context.Context, c *nodejitsu.Client) (any, error) {
				var out strings.Builder
				err := c.UploadSnapshot(ctx, "maciej", "a", "1.0.0-9f", "", strings.NewReader("a tgz"), &out)
				return out.String(), err
			},
			"POST /apps/maciej/a/snapshots/1.0.0-9f a tgz", "npm did it\n", "npm did it\n",
		},
		{
			"ActivateSnapshot", nothing(func(ctx context.Context, c *nodejitsu.Client) error {
				return c.ActivateSnapshot(ctx, "maciej", "a", "1.0.0-9f")
			}),
			"POST /apps/maciej/a/snapshots/1.0.0-9f/activate {}", `{"app":{}}`, "<nil>",
		},
		{
			"DestroySnapshot", nothing(func(ctx context.Context, c *nodejitsu.Client) error {
				return c.DestroySnapshot(ctx, "maciej", "a", "1.0.0-9f")
			}),
			"DELETE /apps/maciej/a/snapshots/1.0.0-9f {}", "", "<nil>",
		},
		{
			"Logs", func(ctx context.Context, c *nodejitsu.Client) (any, error) { return c.Logs(ctx, "maciej", "a", 20) },
			"GET /logs/maciej/a/20 ",
			`[{"time":1367824089.123,"service":"logs/stderr","description":"oh","app":"a","process":"worker","drone":2},{"time":1367824089,"service":"logs/stdout","description":"hi"}]`,
			"[{Time:2013-05-06 07:08:09.123 +0000 UTC Stderr:true Text:oh Process:worker Drone:2} {Time:2013-05-06 07:08:09 +0000 UTC Stderr:false Text:hi Process: Drone:0}]",
		},
	}
}

func userCalls() []call {
	return []call{
		{
			"Auth", func(ctx context.Context, c *nodejitsu.Client) (any, error) {
				account, err := c.Auth(ctx, core.Credentials{Username: "maciej", Password: password})
				return fmt.Sprintf("%+v", account), err
			},
			"GET /auth ", `{"authorized":true,"user":{"username":"maciej"},"token":true}`, "{Username:maciej Token:true}",
		},
		{
			"Users", func(ctx context.Context, c *nodejitsu.Client) (any, error) { return c.Users(ctx) },
			"GET /users ", `{"users":[{"username":"a","email":"a@example.org","ctime":1367824089000},{"username":"b"}]}`,
			"[{Username:a Password:*** Email:a@example.org Admin:false CTime:2013-05-06 07:08:09 +0000 UTC} {Username:b Password:*** Email: Admin:false CTime:0001-01-01 00:00:00 +0000 UTC}]",
		},
		{
			"User", func(ctx context.Context, c *nodejitsu.Client) (any, error) {
				u, err := c.User(ctx, "maciej")
				return u.Username + " " + u.Email, err
			},
			"GET /users/maciej ", `{"username":"maciej","email":"m@example.org"}`, "maciej m@example.org",
		},
		{
			"User in a field", func(ctx context.Context, c *nodejitsu.Client) (any, error) {
				u, err := c.User(ctx, "maciej")
				return u.Username + " " + u.Email, err
			},
			"GET /users/maciej ", `{"user":{"username":"maciej","email":"m@example.org"}}`, "maciej m@example.org",
		},
		{
			"CreateUser", nothing(func(ctx context.Context, c *nodejitsu.Client) error {
				return c.CreateUser(ctx, nodejitsu.User{Username: "new", Password: core.NewSecret("canary-new"), Email: "n@example.org"})
			}),
			`POST /users/new {"username":"new","password":"canary-new","email":"n@example.org"}`, `{"ok":true}`, "<nil>",
		},
		{
			"UpdateUser", nothing(func(ctx context.Context, c *nodejitsu.Client) error {
				return c.UpdateUser(ctx, nodejitsu.User{Username: "maciej", Password: core.NewSecret("canary-new")})
			}),
			`PUT /users/maciej {"username":"maciej","password":"canary-new"}`, `{"ok":true}`, "<nil>",
		},
		{
			"InviteUser", func(ctx context.Context, c *nodejitsu.Client) (any, error) {
				code, err := c.InviteUser(ctx, "maciej")
				return code.Reveal(), err
			},
			"POST /users/maciej/invite {}", `{"ok":true,"inviteCode":"canary-code"}`, "canary-code",
		},
		{
			"DestroyUser", nothing(func(ctx context.Context, c *nodejitsu.Client) error { return c.DestroyUser(ctx, "maciej") }),
			"DELETE /users/maciej {}", `{"ok":true}`, "<nil>",
		},
		{
			"UserAvailable", func(ctx context.Context, c *nodejitsu.Client) (any, error) { return c.UserAvailable(ctx, "new") },
			"GET /users/new/available ", `{"available":true}`, "true",
		},
		{
			"Tokens", func(ctx context.Context, c *nodejitsu.Client) (any, error) { return c.Tokens(ctx, "maciej") },
			"GET /users/maciej/tokens ", `{"apiTokens":{"work":"77aa…","ci":"9f3c…"}}`, "[{Name:ci Masked:9f3c…} {Name:work Masked:77aa…}]",
		},
		{
			"CreateToken", func(ctx context.Context, c *nodejitsu.Client) (any, error) {
				token, err := c.CreateToken(ctx, "maciej", "my ci/1?")
				return token.Reveal(), err
			},
			"PUT /users/maciej/tokens/my%20ci%2F1%3F {}", `{"operation":"insert","my ci/1?":"9f3c-full"}`, "9f3c-full",
		},
		{
			"DestroyToken", nothing(func(ctx context.Context, c *nodejitsu.Client) error { return c.DestroyToken(ctx, "maciej", "ünï#%") }),
			"DELETE /users/maciej/tokens/%C3%BCn%C3%AF%23%25 {}", `{"ok":true}`, "<nil>",
		},
		{
			"ThirdPartyTokens", func(ctx context.Context, c *nodejitsu.Client) (any, error) {
				tokens, err := c.ThirdPartyTokens(ctx, "maciej")
				for _, t := range tokens {
					if t.Token.Reveal() != "ghp_"+t.ID {
						return nil, fmt.Errorf("token %q of %s", t.Token.Reveal(), t.ID)
					}
				}
				return tokens, err
			},
			"GET /users/maciej/thirdparty ",
			`[{"id":"1","provider":"github","login":"mmalecki","scopes":["repo"],"token":"ghp_1"},{"id":"2","provider":"webhook-secret","app":"a","token":"ghp_2","required":true}]`,
			"[{ID:1 Provider:github Forge: App:* Login:mmalecki Scopes:[repo] Token:*** Required:false Target:<nil> Webhook:<nil>} {ID:2 Provider:webhook-secret Forge: App:a Login: Scopes:[] Token:*** Required:true Target:<nil> Webhook:<nil>}]",
		},
		{
			"LogsBetween", func(ctx context.Context, c *nodejitsu.Client) (any, error) {
				return c.LogsBetween(ctx, "maciej", "a", time.Unix(1367824089, 0).UTC(), time.Time{}, 20)
			},
			`POST /logs/maciej/a {"from":"2013-05-06T07:08:09Z","rows":20}`, `[]`, "[]",
		},
		{
			"ThirdPartyTokens in a field", func(ctx context.Context, c *nodejitsu.Client) (any, error) {
				tokens, err := c.ThirdPartyTokens(ctx, "maciej")
				return len(tokens), err
			},
			"GET /users/maciej/thirdparty ", `{"thirdPartyTokens":[{"id":"1"},{"id":"2"}]}`, "2",
		},
		{
			"SetThirdPartyToken", nothing(func(ctx context.Context, c *nodejitsu.Client) error {
				return c.SetThirdPartyToken(ctx, "maciej", core.ThirdPartyToken{
					ID: "1", Provider: core.TokenGitHub, App: "*", Login: "mmalecki", Scopes: []string{"repo"}, Token: core.NewSecret("canary-ghp"), Required: true,
				})
			}),
			`POST /users/maciej/thirdparty {"id":"1","provider":"github","app":"*","login":"mmalecki","scopes":["repo"],"token":"canary-ghp","required":true}`,
			`{"ok":true}`, "<nil>",
		},
		{
			"DestroyThirdPartyToken", nothing(func(ctx context.Context, c *nodejitsu.Client) error {
				return c.DestroyThirdPartyToken(ctx, "maciej", "a/b")
			}),
			"DELETE /users/maciej/thirdparty/a%2Fb {}", `{"ok":true}`, "<nil>",
		},
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	for _, one := range calls() {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, one.answer) })
			got, err := one.do(t.Context(), newClient(t, a.URL+"/"))
			if err != nil {
				t.Fatal(err)
			}
			if read := fmt.Sprintf("%+v", got); read != one.reads {
				t.Errorf("read\n%s, want\n%s", read, one.reads)
			}
			requests := a.requests()
			if len(requests) != 1 {
				t.Fatalf("%d requests, want 1", len(requests))
			}
			r := requests[0]
			if sent := r.method + " " + r.uri + " " + r.body; sent != one.sends {
				t.Errorf("sent\n%s, want\n%s", sent, one.sends)
			}
			if r.user != "maciej" || r.password != password.Reveal() {
				t.Errorf("called as %q with %q", r.user, r.password)
			}
			if r.agent != "nodejitsu-webhooks" {
				t.Errorf("called by %q", r.agent)
			}
			contentType := "application/json"
			switch {
			case one.name == "UploadSnapshot":
				contentType = "application/octet-stream"
			case r.method == http.MethodGet:
				contentType = ""
			}
			if r.contentType != contentType {
				t.Errorf("Content-Type %q, want %q", r.contentType, contentType)
			}
		})
	}
}

// The platform's URL may have a path, and the URL and the password may change.
func TestCallAsksForEndpointAndPassword(t *testing.T) {
	t.Parallel()
	a := newAPI(t, answers(map[string]string{"GET /first/endpoints": "{}", "GET /second/endpoints": "{}"}))
	url, key := a.URL+"/first", core.NewSecret("one")
	c := nodejitsu.New(nodejitsu.Options{
		Endpoint: func() string { return url },
		Username: core.ServiceUser,
		Password: func() core.Secret { return key },
	})
	t.Cleanup(c.Close)
	for range 2 {
		if _, err := c.Endpoints(t.Context()); err != nil {
			t.Fatal(err)
		}
		url, key = a.URL+"/second", core.NewSecret("two")
	}
	got := a.requests()
	if got[0].password != "one" || got[1].password != "two" || got[1].user != "_webhooks" {
		t.Errorf("called with %+v", got)
	}
}

func TestCallAsAnotherUser(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		`{"authorized":true}`:                "mmalecki", // says only that they are valid
		``:                                   "mmalecki",
		`{"user":{"username":"mm"}}`:         "mm",
		`{"user":{"email":"m@example.org"}}`: "",
		`{"user":null}`:                      "",
		`{"user":"mm"}`:                      "",
	} {
		a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) })
		got, err := newClient(t, a.URL).Auth(t.Context(), core.Credentials{Username: "mmalecki", Password: core.NewSecret("theirs")})
		if err != nil || got.Username != want {
			t.Errorf("%s: %+v, %v, want %q", answer, got, err, want)
		}
		if r := a.requests()[0]; r.user != "mmalecki" || r.password != "theirs" {
			t.Errorf("called as %q with %q", r.user, r.password)
		}
	}
}

func TestCallRefusesNames(t *testing.T) {
	t.Parallel()
	a := newAPI(t, answers(nil))
	c := newClient(t, a.URL)
	for _, name := range []string{"", ".", ".."} {
		_, err := c.App(t.Context(), "maciej", name)
		noSecrets(t, err)
		err = c.UploadSnapshot(t.Context(), "maciej", "a", name, "", strings.NewReader(""), io.Discard)
		noSecrets(t, err)
		_, err = c.User(t.Context(), name)
		noSecrets(t, err)
	}
	if got := a.lines(); got != "" {
		t.Errorf("sent %s", got)
	}
}

// The response may lack the token.
func TestCreateTokenWithoutToken(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{`{"operation":"insert"}`, `{"ci":""}`, `{"ci":7}`, ``} {
		a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) })
		_, err := newClient(t, a.URL).CreateToken(t.Context(), "maciej", "ci")
		noSecrets(t, err)
	}
}
