package platform_test

import (
	"bytes"
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
)

// version is an app at its own subdomain that answers with a text, which also has
// the environment's variable GREETING, after whatever js does. procfile has the
// lines of its Procfile.
func version(t *testing.T, text, js string, procfile ...string) []byte {
	t.Helper()
	return pack(t, map[string]string{
		"Procfile":     strings.Join(procfile, "\n"),
		"migrate.js":   `console.log('migrating for ' + process.env.GREETING); process.exitCode = process.env.GREETING === '!' ? 9 : 0`,
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
// how many were answered as wanted, and how many were not.
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
	b := setup(t, platform.Options{MinReadyTime: 15 * time.Second, ReadyTimeout: 100 * patience})
	b.user("me")
	b.ok(b.deploy("v1", version(t, "good", "")))
	stop := b.load("good.localhost", "good!")
	for id, c := range map[string]struct{ js, want string }{
		"no release":  {"", "the release command of the Procfile, node migrate.js, exited with code 9"},
		"no worker":   {"", "process worker exited with code 8"},
		"exits":       {"process.exit(3)", "exited with code 3"},
		"exits-later": {"server.on('listening', () => setTimeout(() => server.close(() => process.exit(3)), 200))", "exited with code 3"},
		"goes-deaf":   {"server.on('listening', () => setTimeout(() => { server.close(); setInterval(() => {}, 1000); }, 2000))", "stopped listening on its port"},
		"throws":      {"throw new Error('no database')", "no database"},
	} {
		more := map[string]string{
			"no release": "release: node migrate.js", "no worker": "worker: echo no queue; exit 8",
		}
		if err := b.deploy(strings.ReplaceAll(id, " ", "-"), version(t, "bad", c.js, more[id])); err == nil || !strings.Contains(err.Error(), c.want) {
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
	b := setup(t, platform.Options{})
	b.user("me")
	b.ok(b.deploy("v1", version(t, "good", "")))
	b.ok(b.deploy("v2", version(t, "bad", "")))
	b.answers("bad", "bad!")
	resp := b.open("bad", "/crash")
	_ = resp.Body.Close() // no body
	// What the user did before is an event too.
	e := b.event()
	for ; e.Kind != nodejitsu.EventRolledBack; e = b.event() {
		if e.Kind != "deploy" || e.By != "me" {
			t.Fatalf("event %+v", e)
		}
	}
	if e.Snapshot != "v2" || e.User != "me" || e.App != "app" || !strings.Contains(e.Reason, "exited with code 4") || !strings.Contains(e.Detail, "out of luck") {
		t.Errorf("event %+v", e)
	}
	b.answers("good", "good!")
	if status, _ := b.get("bad"); status != http.StatusNotFound {
		t.Errorf("the address of the crashed version answers %d", status)
	}
}

// The processes of a Procfile are run with the web process, release before it, and
// all of them share a folder that stays.
func TestProcfile(t *testing.T) {
	t.Parallel()
	b := setup(t, platform.Options{MinReadyTime: 100 * time.Millisecond})
	me := b.user("me")
	files := map[string]string{
		"package.json": `{"name":"app","version":"1.0.0","subdomain":"app"}`,
		"Procfile":     "web: node web.js\nworker: node worker.js\nrelease: echo one >> $DATA_DIR/releases",
		"web.js": `require('http').createServer((q, r) => r.end(require('fs').readFileSync(process.env.DATA_DIR + '/releases', 'utf8')))
			.listen(process.env.PORT)`,
		"worker.js": `console.log('port ' + process.env.PORT); setInterval(() => {}, 1000)`,
	}
	b.ok(b.deploy("v1", pack(t, files)))
	b.answers("app", "one\n")
	files["Procfile"] = strings.Replace(files["Procfile"], "echo one", "echo two; echo two", 1)
	b.ok(b.deploy("v2", pack(t, files)))
	b.answers("app", "one\ntwo\n")
	var seen string
	b.eventually("the output of all", func() bool {
		lines, err := me.Logs(t.Context(), "me", "app", 100)
		b.ok(err)
		seen = ""
		for _, l := range lines {
			seen += l.Process + ": " + l.Text + "\n"
		}
		return strings.Count(seen, "worker: port undefined\n") == 2 && strings.Contains(seen, "release: two\n")
	})
	// An app may have nothing else.
	files["Procfile"] = "worker: node worker.js"
	b.ok(b.deploy("v3", pack(t, files)))
	app, err := me.App(t.Context(), "me", "app")
	b.ok(err)
	if app.State != "started" || app.Drones != 1 || app.MaxDrones != 1 || app.Running.ID != "v3" {
		t.Errorf("the app is %+v", app)
	}
	if status, _ := b.get("app"); status != http.StatusServiceUnavailable {
		t.Errorf("an app that does not listen answers %d", status)
	}
}

// A build that needs more memory than the operator has set is ended.
func TestBuildMemory(t *testing.T) {
	t.Parallel()
	b := setup(t, platform.Options{BuildMemory: 300})
	me := b.user("me")
	b.ok(me.CreateApp(t.Context(), "me", "app", nil))
	err := me.UploadSnapshot(t.Context(), "me", "app", "v1", "", bytes.NewReader(pack(t, map[string]string{
		"package.json": `{"name":"app","version":"1.0.0","subdomain":"app","scripts":{"build":"node build.js","start":"node server.js"}}`,
		"build.js":     `const all = []; setInterval(() => all.push(Buffer.alloc(10 << 20, 1)), 10);`,
		"server.js":    "",
	})), io.Discard)
	for _, want := range []string{"the build needed more than 300 MiB of memory", "--build-memory"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("it fails with %v, without %q", err, want)
		}
	}
}

// What runs is stopped before an app that suffers no second copy is started.
func TestStopFirst(t *testing.T) {
	t.Parallel()
	b := setup(t, platform.Options{MinReadyTime: 100 * time.Millisecond})
	b.user("me")
	exclusive := func(js string) []byte {
		return pack(t, map[string]string{
			"package.json": `{"name":"app","version":"1.0.0","subdomain":"app","webhooks":{"switch":"stop-first"},"scripts":{"start":"node server.js"}}`,
			"server.js": `
				const fs = require('fs'), lock = process.env.DATA_DIR + '/lock';
				fs.mkdirSync(lock); // which fails if there is one
				process.on('SIGTERM', () => process.exit());
				process.on('exit', () => fs.rmdirSync(lock));
				` + js + `
				require('http').createServer((q, r) => r.end('serving')).listen(process.env.PORT);`,
		})
	}
	b.ok(b.deploy("v1", exclusive("")))
	b.ok(b.deploy("v2", exclusive("")))
	if err := b.deploy("v3", exclusive("throw new Error('no database')")); err == nil || !strings.Contains(err.Error(), "no database") {
		t.Errorf("it fails with %v", err)
	}
	b.eventually("the one before answers again", func() bool { _, body := b.get("app"); return body == "serving" })
}
