package platform_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/deployer/platform"
)

// front is the address of a datacenter, which it has before it runs.
type front struct {
	url  string
	down atomic.Bool
	to   atomic.Pointer[bench]
}

func newFront(t *testing.T) *front {
	t.Helper()
	f := &front{}
	proxy := httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			to, _ := url.Parse(f.to.Load().URL())
			p.SetURL(to)
			p.Out.Host = p.In.Host
			p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
		},
		FlushInterval: -1,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.down.Load() || f.to.Load() == nil {
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// places are a home and its branches.
type places struct {
	*bench                        // the home
	east, west             *bench // its branches
	homeAt, toEast, toWest *front
}

func spread(t *testing.T) *places {
	t.Helper()
	p := &places{homeAt: newFront(t), toEast: newFront(t), toWest: newFront(t)}
	const key = core.Secret("the key of all")
	p.bench = setup(t, platform.Options{Key: key, Branches: map[string]string{"east": p.toEast.url, "west": p.toWest.url}})
	p.homeAt.to.Store(p.bench)
	p.east = setup(t, platform.Options{Key: key, Datacenter: "east", Home: p.homeAt.url})
	p.toEast.to.Store(p.east)
	p.west = setup(t, platform.Options{Key: key, Datacenter: "west", Home: p.homeAt.url})
	p.toWest.to.Store(p.west)
	return p
}

// at returns a client of a user whose home address is f.
func (p *places) at(f *front, username string, password core.Secret) *nodejitsu.Client {
	c := nodejitsu.New(nodejitsu.Options{
		Endpoint: func() string { return f.url }, Username: username, Password: func() core.Secret { return password },
	})
	p.t.Cleanup(c.Close)
	return c
}

// where is an app that answers with its folder, its version and GREETING.
func where(t *testing.T, version string) []byte {
	t.Helper()
	return pack(t, map[string]string{
		"package.json": `{"name":"app","version":"1.0.0","scripts":{"start":"node server.js"}}`,
		"server.js": `
			console.log('up at ' + __dirname);
			require('http').createServer((req, res) => {
				if (req.url === '/from') return res.end(req.headers['x-forwarded-for'] + ' ' + (req.headers['x-webhooks-neighbour'] || 'none'));
				res.end(__dirname + ' ` + version + ` ' + (process.env.GREETING || ''));
			}).listen(process.env.PORT);`,
	})
}

// served checks that the router of b has the app answer from the platform of from.
func (p *places) served(b, from *bench, end string) {
	p.t.Helper()
	status, body := b.get("app")
	if status != http.StatusOK || !strings.HasPrefix(body, from.o.Dir) || !strings.HasSuffix(body, end) {
		p.t.Fatalf("answers %d %q, want it from %s with %q", status, body, from.o.Dir, end)
	}
}

func clouds(named ...string) []nodejitsu.Cloud {
	var all []nodejitsu.Cloud
	for _, name := range named {
		all = append(all, nodejitsu.Cloud{Provider: "webhooks", Datacenter: name})
	}
	return all
}

func (p *places) lives(c *nodejitsu.Client, want string) {
	p.t.Helper()
	cloud, err := c.Cloud(p.t.Context(), "alice", "app")
	p.ok(err)
	var names []string
	for _, one := range cloud {
		names = append(names, one.Datacenter+"="+string(rune('0'+one.Drones)))
	}
	if got := strings.Join(names, " "); got != want {
		p.t.Fatalf("lives in %s, want %s", got, want)
	}
}

// deployed returns a client of alice's, whose app runs its version one at home.
func (p *places) deployed() *nodejitsu.Client {
	p.t.Helper()
	p.user("alice")
	c := p.at(p.homeAt, "alice", "password")
	p.app(c, "alice", "app", map[string]any{"name": "app", "scripts": map[string]string{"start": "node server.js"}})
	p.upload(c, "alice", "app", "one", where(p.t, "one"))
	p.run(c, "alice", "app", "one")
	return c
}

func TestAppInSeveralDatacenters(t *testing.T) {
	t.Parallel()
	p := spread(t)
	ctx, c := t.Context(), p.deployed()
	p.served(p.east, p.bench, " one ") // passed on to the home
	p.served(p.west, p.bench, " one ")

	p.ok(c.SetCloud(ctx, "alice", "app", clouds("local", "east")))
	p.lives(c, "local=1 east=1")
	p.served(p.bench, p.bench, " one ")
	p.served(p.east, p.east, " one ")
	p.served(p.west, p.bench, " one ")

	// A new version is built and started in both.
	if out := p.upload(c, "alice", "app", "two", where(t, "two")); !strings.Contains(out, "In the datacenter east:") {
		t.Errorf("the build does not tell of east: %s", out)
	}
	p.ok(c.UpdateApp(ctx, "alice", "app", map[string]any{"env": map[string]string{"GREETING": "hi"}}))
	app := p.run(c, "alice", "app", "two")
	if app.State != "started" || app.Drones != 2 || app.Running == nil || app.Running.ID != "two" {
		t.Errorf("stands as %+v", app)
	}
	p.served(p.bench, p.bench, " two hi")
	p.served(p.east, p.east, " two hi")

	// Three drones for the share in east alone, by its own address.
	direct := nodejitsu.New(nodejitsu.Options{
		Endpoint: func() string { return p.toEast.url }, Datacenter: "east",
		Username: "alice", Password: func() core.Secret { return "password" },
	})
	t.Cleanup(direct.Close)
	p.ok(direct.SetCloud(ctx, "alice", "app", []nodejitsu.Cloud{{Drones: 3}}))
	p.lives(c, "local=1 east=3")
	if app, err := c.App(ctx, "alice", "app"); err != nil || app.Drones != 4 || app.MaxDrones != 4 {
		t.Errorf("%d of %d drones, %v; want 4", app.Drones, app.MaxDrones, err)
	}
	log := strings.Join(p.log(c, "alice", "app"), "\n")
	if !strings.Contains(log, "up at "+p.o.Dir) || !strings.Contains(log, "up at "+p.east.o.Dir) {
		t.Errorf("the log is %s", log)
	}

	// Stopped in one, it is reached in the other.
	p.ok(direct.StopApp(ctx, "alice", "app"))
	p.served(p.east, p.bench, " two hi")
	p.ok(c.StopApp(ctx, "alice", "app"))
	if status, _ := p.east.get("app"); status != http.StatusServiceUnavailable {
		t.Errorf("stopped everywhere, it answers %d", status)
	}
	if status, _ := p.east.get("nobody"); status != http.StatusNotFound {
		t.Errorf("an app that is nowhere answers %d", status)
	}
}

func TestAppMovesWithoutLosingARequest(t *testing.T) {
	t.Parallel()
	p := spread(t)
	ctx, c := t.Context(), p.deployed()
	done, stop := context.WithCancel(ctx)
	var load sync.WaitGroup
	var sent atomic.Int64
	for _, through := range []*bench{p.bench, p.east, p.west} {
		load.Go(func() {
			for done.Err() == nil {
				if status, body := through.get("app"); status != http.StatusOK {
					t.Errorf("lost: %d %q", status, body)
				}
				sent.Add(1)
			}
		})
	}
	for _, to := range []string{"east", "west", "local", "east"} {
		before := sent.Load()
		p.ok(c.SetCloud(ctx, "alice", "app", clouds(to)))
		p.lives(c, to+"=1")
		p.eventually("requests go on", func() bool { return sent.Load() > before+10 })
	}
	stop()
	load.Wait()
	p.served(p.bench, p.east, " one ")
	p.served(p.west, p.east, " one ")
	if _, err := p.west.service.App(ctx, "alice", "app"); err != nil {
		t.Error(err) // through the home
	}
	left := nodejitsu.New(nodejitsu.Options{
		Endpoint: p.west.URL, Datacenter: "west", Username: core.ServiceUser, Password: p.Key,
	})
	t.Cleanup(left.Close)
	if _, err := left.App(ctx, "alice", "app"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("west still has it: %v", err)
	}
	if out := p.upload(c, "alice", "app", "two", where(t, "two")); out == "" {
		t.Error("no output")
	}
	p.run(c, "alice", "app", "two")
	p.served(p.bench, p.east, " two ")
	if err := c.SetCloud(ctx, "alice", "app", clouds("south")); err == nil {
		t.Error("it lives in the unknown")
	}
	p.lives(c, "east=1")
}

func TestBranchJudgesNobody(t *testing.T) {
	t.Parallel()
	p := spread(t)
	ctx := t.Context()
	p.deployed()
	alice := core.Credentials{Username: "alice", Password: "password"}
	for name, f := range map[string]*front{"home": p.homeAt, "east": p.toEast} {
		c := p.at(f, "alice", "password")
		if _, err := c.Auth(ctx, alice); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := c.Auth(ctx, core.Credentials{Username: "alice", Password: "wrong"}); !errors.Is(err, core.ErrUnauthorized) {
			t.Errorf("%s: a wrong password is %v", name, err)
		}
		endpoints, err := c.Endpoints(ctx)
		if err != nil || endpoints["webhooks"]["local"] != p.homeAt.url || endpoints["webhooks"]["east"] != p.toEast.url || len(endpoints["webhooks"]) != 3 {
			t.Errorf("%s: endpoints %v %v", name, endpoints, err)
		}
	}
	// A caller's header alone opens nothing.
	stranger := nodejitsu.New(nodejitsu.Options{
		Endpoint: func() string { return p.toEast.url }, Datacenter: "east",
		Username: core.ServiceUser, Password: func() core.Secret { return "guessed" },
	})
	t.Cleanup(stranger.Close)
	if _, err := stranger.Apps(ctx, "alice"); !errors.Is(err, core.ErrUnauthorized) {
		t.Errorf("a wrong key is %v", err)
	}
	p.homeAt.down.Store(true)
	if _, err := p.at(p.toEast, "alice", "password").Auth(ctx, alice); err == nil {
		t.Error("a branch judged by itself")
	} else if _, passes := core.Retryable(err); !passes {
		t.Errorf("without its home a branch says %v", err)
	}
}

func TestDatacenterIsToldWhatItMissed(t *testing.T) {
	t.Parallel()
	p := spread(t)
	ctx, c := t.Context(), p.deployed()
	p.ok(c.SetCloud(ctx, "alice", "app", clouds("local", "east")))
	p.toEast.down.Store(true)
	p.homeAt.down.Store(true)
	p.served(p.east, p.east, " one ") // it serves alone
	p.homeAt.down.Store(false)
	app, err := c.App(ctx, "alice", "app")
	if err != nil || app.State != "started" || !strings.Contains(app.Reason, "east can't be reached") {
		t.Errorf("without east: %+v %v", app, err)
	}
	if err := c.SetCloud(ctx, "alice", "app", clouds("local")); err != nil {
		t.Fatal(err)
	}
	p.toEast.down.Store(false)
	p.eventually("east has ended it", func() bool {
		status, body := p.east.get("app")
		return status == http.StatusOK && strings.HasPrefix(body, p.o.Dir)
	})
}

// Who a client is, is told by the first router alone.
func TestForwardedThroughNeighbours(t *testing.T) {
	t.Parallel()
	p := spread(t)
	p.deployed()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.east.RouterAddr()+"/from", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "app.localhost"
	req.Header.Set("X-Forwarded-For", "6.6.6.6")
	req.Header.Set("X-Webhooks-Neighbour", "me")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(resp.Body)
	if err != nil || string(text) != "127.0.0.1 none" {
		t.Errorf("the app sees %q %v", text, err)
	}
}

// Who guesses at a branch is slowed down by the home, and nobody else there.
func TestGuessingAtABranch(t *testing.T) {
	t.Parallel()
	p := spread(t)
	p.user("alice")
	ctx := t.Context()
	guess := core.Credentials{Username: "alice", Password: "wrong"}
	// The server's own client is not slowed down here: it does that itself.
	var last *nodejitsu.Error
	for range 11 {
		_, err := p.at(p.toEast, "alice", "wrong").Apps(ctx, "alice")
		if !errors.As(err, &last) {
			t.Fatal(err)
		}
	}
	if last.Status != http.StatusTooManyRequests {
		t.Errorf("after ten wrong passwords: %v", last)
	}
	server := nodejitsu.New(nodejitsu.Options{
		Endpoint: func() string { return p.homeAt.url }, Username: core.ServiceUser, Password: func() core.Secret { return p.Key() },
	})
	t.Cleanup(server.Close)
	for range 20 {
		if _, err := server.Auth(ctx, guess); !errors.Is(err, core.ErrUnauthorized) {
			t.Fatalf("a server is told %v", err)
		}
	}
}
