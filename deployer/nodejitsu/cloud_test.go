package nodejitsu_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

// writes are the calls that go to each datacenter of an app.
func writes() map[string]func(context.Context, *nodejitsu.Client) error {
	return map[string]func(context.Context, *nodejitsu.Client) error{
		"POST /apps/maciej/a/start {}": func(ctx context.Context, c *nodejitsu.Client) error {
			_, err := c.StartApp(ctx, "maciej", "a")
			return err
		},
		"POST /apps/maciej/a/stop {}":    func(ctx context.Context, c *nodejitsu.Client) error { return c.StopApp(ctx, "maciej", "a") },
		"POST /apps/maciej/a/restart {}": func(ctx context.Context, c *nodejitsu.Client) error { return c.RestartApp(ctx, "maciej", "a") },
		`POST /apps/maciej/a/cloud [{"provider":"","datacenter":"","drones":2,"ram":256}]`: func(ctx context.Context, c *nodejitsu.Client) error {
			return c.SetCloud(ctx, "maciej", "a", []nodejitsu.Cloud{{Drones: 2, RAM: 256}})
		},
	}
}

// bodies are the requests as "METHOD /uri body".
func bodies(a *api) string {
	var lines []string
	for _, s := range a.requests() {
		lines = append(lines, s.method+" "+s.uri+" "+s.body)
	}
	return strings.Join(lines, "\n")
}

// written answers what any of the writes is answered with.
func written(w http.ResponseWriter, _ *http.Request) {
	_, _ = fmt.Fprint(w, `{"app":{"url":"http://a.localhost"}}`)
}

// located answers GET /endpoints with endpoints, and GET …/cloud with cloud;
// whatever else has succeeded.
func located(endpoints, cloud string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.Path {
		case "GET /endpoints":
			_, _ = fmt.Fprint(w, endpoints)
		case "GET /apps/maciej/a/cloud":
			_, _ = fmt.Fprint(w, cloud)
		default:
			written(w, r)
		}
	}
}

const looks = "GET /endpoints \nGET /apps/maciej/a/cloud "

func TestWritesGoToEachDatacenter(t *testing.T) {
	t.Parallel()
	for want, write := range writes() {
		one, two, other := newAPI(t, written), newAPI(t, written), newAPI(t, written)
		a := newAPI(t, located(
			fmt.Sprintf(`{"endpoints":{"p":{"one":%q,"other":%q},"q":{"two":%q}}}`, one.URL, other.URL, two.URL+"/below/"),
			`[{"provider":"p","datacenter":"one"},{"provider":"q","datacenter":"two"}]`,
		))
		if err := write(t.Context(), newClient(t, a.URL)); err != nil {
			t.Fatal(err)
		}
		if got := bodies(a); got != looks {
			t.Errorf("the endpoint got %s", got)
		}
		if got := bodies(one); got != want {
			t.Errorf("one got %s, want %s", got, want)
		}
		if got := bodies(two); got != strings.Replace(want, "/apps", "/below/apps", 1) {
			t.Errorf("two got %s", got)
		}
		if got := bodies(other); got != "" {
			t.Errorf("a datacenter that the app is not in got %s", got)
		}
		if r := two.requests()[0]; r.user != "maciej" || r.password != password.Reveal() {
			t.Errorf("called as %q with %q", r.user, r.password)
		}
	}
}

// What names no datacenter is done by the endpoint.
func TestWritesWithoutDatacenters(t *testing.T) {
	t.Parallel()
	for want, write := range writes() {
		for name, one := range map[string]struct {
			handler http.HandlerFunc
			asked   string
		}{
			"no such call": {func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/endpoints" {
					refuse(w, http.StatusNotFound, "not_found", "No")
					return
				}
				written(w, r)
			}, "GET /endpoints \n"},
			"none":        {located(`{"endpoints":{}}`, ``), "GET /endpoints \n"},
			"an odd one":  {located(`{}`, ``), "GET /endpoints \n"},
			"not started": {located(`{"endpoints":{"p":{"one":"one.example.org"}}}`, `[]`), looks + "\n"},
		} {
			a := newAPI(t, one.handler)
			if err := write(t.Context(), newClient(t, a.URL)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := bodies(a); got != one.asked+want {
				t.Errorf("%s: got %s", name, got)
			}
		}
	}
}

func TestWritesThatFindNoDatacenter(t *testing.T) {
	t.Parallel()
	const endpoints = `{"endpoints":{"p":{"one":"one.example.org"}}}`
	for name, one := range map[string]struct {
		handler http.HandlerFunc
		asked   string
		want    meaning
	}{
		"unknown":          {located(endpoints, `[{"provider":"p","datacenter":"two"}]`), looks, meaning{}},
		"unknown provider": {located(endpoints, `[{"drones":1}]`), looks, meaning{}},
		"no URL":           {located(`{"endpoints":{"p":{"one":"ftp://one.example.org"}}}`, `[{"provider":"p","datacenter":"one"}]`), looks, meaning{}},
		"no app":           {answers(map[string]string{"GET /endpoints": endpoints}), looks, meaning{is: core.ErrNotFound}},
		"refused": {func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, http.StatusUnauthorized, "unauthorized", "Who are you?")
		}, "GET /endpoints ", meaning{is: core.ErrUnauthorized}},
		"busy": {answers(map[string]string{"GET /endpoints": "503 Later"}), "GET /endpoints ", meaning{again: true}},
	} {
		for _, write := range writes() {
			a := newAPI(t, one.handler)
			check(t, write(t.Context(), newClient(t, a.URL)), one.want)
			if got := bodies(a); got != one.asked {
				t.Errorf("%s: got %s", name, got)
			}
		}
	}
}

// Where one datacenter refuses, that is what is told.
func TestWriteThatOneDatacenterRefuses(t *testing.T) {
	t.Parallel()
	one := newAPI(t, written)
	two := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusInternalServerError, "start_failed", "It never listened")
	})
	a := newAPI(t, located(
		fmt.Sprintf(`{"endpoints":{"p":{"one":%q,"two":%q}}}`, one.URL, two.URL),
		`[{"provider":"p","datacenter":"one"},{"provider":"p","datacenter":"two"}]`,
	))
	_, err := newClient(t, a.URL).StartApp(t.Context(), "maciej", "a")
	check(t, err, meaning{})
	if err.Error() != "nodejitsu: start app: It never listened" || len(one.requests()) != 1 {
		t.Errorf("%v after %s", err, one.lines())
	}
}

// newTLS plays a platform over TLS; its client trusts all that are made so.
func newTLS(t *testing.T, handler http.HandlerFunc) *api {
	t.Helper()
	a := &api{}
	a.Server = httptest.NewTLSServer(a.remember(handler))
	t.Cleanup(a.Close)
	return a
}

// Credentials that the operator sent by https stay there.
func TestWritesKeepToTLS(t *testing.T) {
	t.Parallel()
	plain, secret := newAPI(t, written), newTLS(t, written)
	for _, one := range []struct {
		address string
		works   bool
	}{
		{secret.URL, true},
		{strings.Replace(secret.URL, "https", "HTTPS", 1), true},
		{strings.TrimPrefix(secret.URL, "https://"), true}, // a host alone
		{plain.URL, false},
		{strings.Replace(plain.URL, "http", "HTTP", 1), false},
		{strings.TrimPrefix(plain.URL, "http:"), false},
	} {
		for _, scheme := range []string{"https://", "HTTPS://"} {
			a := newTLS(t, located(fmt.Sprintf(`{"endpoints":{"p":{"one":%q}}}`, one.address), `[{"provider":"p","datacenter":"one"}]`))
			before := len(secret.requests())
			c := nodejitsu.New(nodejitsu.Options{
				Endpoint: func() string { return strings.Replace(a.URL, "https://", scheme, 1) },
				Username: "maciej", Password: func() core.Secret { return password },
				HTTP: a.Client(), // all of httptest's have the same certificate
			})
			t.Cleanup(c.Close)
			app, err := c.StartApp(t.Context(), "maciej", "a")
			if one.works {
				if err != nil || app.URL != "http://a.localhost" || len(secret.requests()) != before+1 {
					t.Errorf("%s: %q, %v", one.address, app.URL, err)
				}
				continue
			}
			check(t, err, meaning{})
		}
	}
	if got := plain.lines(); got != "" {
		t.Errorf("sent without TLS: %s", got)
	}
}

// A host alone is reached by https, also from an endpoint that is not.
func TestHostAloneIsReachedByTLS(t *testing.T) {
	t.Parallel()
	secret := newTLS(t, written)
	a := newAPI(t, located(
		fmt.Sprintf(`{"endpoints":{"p":{"one":%q}}}`, strings.TrimPrefix(secret.URL, "https://")), `[{"provider":"p","datacenter":"one"}]`,
	))
	c := nodejitsu.New(nodejitsu.Options{
		Endpoint: func() string { return a.URL }, Username: "maciej", Password: func() core.Secret { return password }, HTTP: secret.Client(),
	})
	t.Cleanup(c.Close)
	if _, err := c.StartApp(t.Context(), "maciej", "a"); err != nil {
		t.Fatal(err)
	}
	if got := secret.lines(); got != "POST /apps/maciej/a/start" {
		t.Errorf("got %s", got)
	}
}

// The datacenters that an app shall move to are told, and not those it is in.
func TestSetCloudGoesWhereTheAppShallBe(t *testing.T) {
	t.Parallel()
	one, two := newAPI(t, written), newAPI(t, written)
	a := newAPI(t, located(
		fmt.Sprintf(`{"endpoints":{"p":{"one":%q,"two":%q}}}`, one.URL, two.URL),
		`[{"provider":"p","datacenter":"one"}]`,
	))
	err := newClient(t, a.URL).SetCloud(t.Context(), "maciej", "a", []nodejitsu.Cloud{{Provider: "p", Datacenter: "two", Drones: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if got := bodies(two); got != `POST /apps/maciej/a/cloud [{"provider":"p","datacenter":"two","drones":1,"ram":0}]` {
		t.Errorf("two got %s", got)
	}
	if got := bodies(one); got != "" {
		t.Errorf("one got %s", got)
	}
}

// A client for one datacenter asks nobody else, and says whom it means.
func TestWritesForOneDatacenter(t *testing.T) {
	t.Parallel()
	for want, write := range writes() {
		named := make(chan string, 1)
		a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
			named <- r.Header.Get(nodejitsu.HeaderDatacenter)
			written(w, r)
		})
		c := nodejitsu.New(nodejitsu.Options{Endpoint: func() string { return a.URL }, Username: "maciej", Datacenter: "east"})
		t.Cleanup(c.Close)
		if err := write(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if got := bodies(a); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got := <-named; got != "east" {
			t.Errorf("named %q, want east", got)
		}
	}
}
