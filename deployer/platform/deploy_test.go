package platform_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/deployer/platform"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
)

// version is an app at its own subdomain that answers with a text, which also has
// the environment's variable GREETING, after whatever js does.
func version(t *testing.T, text, js string) []byte {
	t.Helper()
	return pack(t, map[string]string{
		"package.json": `{"name":"app","version":"1.0.0","subdomain":"` + text + `","env":{"GREETING":"!"},"scripts":{"start":"node server.js"}}`,
		"server.js": `
			const server = require('http').createServer((req, res) => {
				if (req.url === '/crash') { console.error('out of luck'); process.exit(4); }
				res.end('` + text + `' + (process.env.GREETING || ''));
			}).listen(process.env.PORT);
			` + js,
	})
}

// deploy deploys a version as a server does.
func (b *fixture) deploy(id string, tgz []byte) error {
	b.t.Helper()
	client := nodejitsu.NewPlatform(b.as("me", core.NewSecret("password")))
	pkg := deploy.Package{Name: "app", Fields: []byte(`{"name":"app"}`)}
	b.ok(client.Create(b.t.Context(), "me", pkg))
	b.ok(client.Upload(b.t.Context(), "me", pkg, id, strings.NewReader(string(tgz)), io.Discard))
	_, err := client.Start(b.t.Context(), "me", pkg, id, deploy.Order{})
	return err
}

// load sends requests to a host without a pause until stop is called, which returns
// how many were answered, and how many failed other than by the end of a drone.
func (b *fixture) load(host string, want ...string) (stop func() (answered, failed int64)) {
	var good, bad atomic.Int64
	end := make(chan struct{})
	var clients sync.WaitGroup
	for range 2 {
		clients.Go(func() {
			client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			for {
				select {
				case <-end:
					return
				default:
				}
				req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, "http://"+b.RouterAddr()+"/", http.NoBody)
				if err != nil {
					return
				}
				req.Host = host
				resp, err := client.Do(req)
				if err != nil {
					bad.Add(1)
					continue
				}
				text, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close() // only read
				if resp.StatusCode == http.StatusBadGateway {
					continue // the drone ended during the request
				}
				if err != nil || resp.StatusCode != http.StatusOK || !slices.Contains(want, string(text)) {
					bad.Add(1)
				} else {
					good.Add(1)
				}
			}
		})
	}
	return func() (int64, int64) {
		close(end)
		clients.Wait()
		return good.Load(), bad.Load()
	}
}

// Versions that fail at each possible point don't affect the one that runs: it
// keeps answering at its address, also after a restart.
func TestVersionsThatFail(t *testing.T) {
	t.Parallel()
	b := setup(t, platform.Options{MinReadyTime: 5 * time.Second, ReadyTimeout: 100 * patience})
	b.user("me")
	b.ok(b.deploy("v1", version(t, "good", "")))
	stop := b.load("good.localhost", "good!", "bad!") // bad serves for a moment
	for id, c := range map[string]struct{ js, want string }{
		"exits":       {"process.exit(3)", "exited with code 3"},
		"exits-later": {"server.on('listening', () => setTimeout(() => server.close(() => process.exit(3)), 200))", "exited with code 3"},
		"goes-deaf":   {"server.on('listening', () => setTimeout(() => { server.close(); setInterval(() => {}, 1000); }, 200))", "stopped listening on its port"},
		"throws":      {"throw new Error('no database')", "no database"},
	} {
		if err := b.deploy(id, version(t, "bad", c.js)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", id, err)
		}
		b.answers("good", "good!")
		if status, _ := b.get("bad"); status != http.StatusNotFound {
			t.Errorf("%s: its address answers %d", id, status)
		}
	}
	if answered, failed := stop(); answered < 10 || failed > 0 {
		t.Errorf("%d requests were answered, %d failed", answered, failed)
	}
	me := b.as("me", core.NewSecret("password"))
	b.ok(me.RestartApp(t.Context(), "me", "app"))
	b.answers("good", "good!")
	b.stop()
	again := b.again()
	again.eventually("the app answers", func() bool { _, body := again.get("good"); return body == "good!" })
	app, err := again.as("me", core.NewSecret("password")).App(t.Context(), "me", "app")
	again.ok(err)
	if app.Active.ID != "v1" || app.Subdomain != "good" || app.Env["GREETING"] != "!" {
		t.Errorf("the app is %+v", app)
	}
}

// A version that crashes in its first minute is rolled back to the previous one,
// with its address and its environment, and an event reports it.
func TestVersionThatCrashesSoon(t *testing.T) {
	t.Parallel()
	events := make(chan apps.Event, 10)
	b := setup(t, platform.Options{Events: func(e apps.Event) { events <- e }})
	b.user("me")
	b.ok(b.deploy("v1", version(t, "good", "")))
	b.ok(b.deploy("v2", version(t, "bad", "")))
	b.answers("bad", "bad!")
	resp := b.open("bad", "/crash")
	_ = resp.Body.Close() // no body
	e := <-events
	if e.Kind != apps.EventRolledBack || e.Snapshot != "v2" || e.Former != "v1" || !strings.Contains(e.Reason, "exited with code 4") || !strings.Contains(e.Detail, "out of luck") {
		t.Errorf("event %+v", e)
	}
	b.answers("good", "good!")
	if status, _ := b.get("bad"); status != http.StatusNotFound {
		t.Errorf("the address of the crashed version answers %d", status)
	}
}
