package apps

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// requests are requests to an app, one after the other by each of some clients.
type requests struct {
	stop    context.CancelFunc
	running sync.WaitGroup
	good    atomic.Int64
	mu      sync.Mutex
	bad     []string
}

// underLoad requests the app until ended is called; each answer must be body.
func underLoad(a *app, body string) *requests {
	ctx, stop := context.WithCancel(a.t.Context())
	l := &requests{stop: stop}
	for _, keepAlive := range []bool{true, true, false} {
		client := a.client(keepAlive)
		l.running.Go(func() {
			pace := time.NewTicker(10 * time.Millisecond) // what is deployed needs the processor too
			defer pace.Stop()
			for ctx.Err() == nil {
				l.once(ctx, client, a.host(), body)
				select {
				case <-pace.C:
				case <-ctx.Done():
				}
			}
		})
	}
	return l
}

func (l *requests) once(ctx context.Context, client *http.Client, host, body string) {
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, "http://"+host+"/", http.NoBody)
	var got answer
	if err == nil {
		got, err = read(client.Do(req)) //nolint:bodyclose // read closes it
	}
	switch {
	case err != nil:
		got.body = err.Error()
	case got.status == http.StatusOK && got.body == body:
		l.good.Add(1)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bad = append(l.bad, got.body)
}

// ended ends the requests, and returns how many answers were as they should be, and
// the others.
func (l *requests) ended() (good int64, bad []string) {
	l.stop()
	l.running.Wait()
	return l.good.Load(), l.bad
}

// linkLock is a lockfile by which npm installs a link to a folder that is not there.
const linkLock = `{"name":"app","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{
	"":{"name":"app","version":"1.0.0","dependencies":{"lib":"file:../lib"}}, "../lib":{"version":"1.0.0"}, "node_modules/lib":{"resolved":"../lib","link":true}}}`

// A version that fails, wherever it does, costs the version that runs no request, and
// changes none of its answers.
func TestFailingVersions(t *testing.T) {
	t.Parallel()
	a := create(t, ownPlatform(t, "--ready-timeout", "30s", "--min-ready-time", "10s"), "failing")
	const listen = `require('http').createServer((req, res) => res.end(process.env.MODE)).listen(process.env.PORT)`
	version := func(fields string, more files) files {
		f := files{"package.json": `{"name":"app","version":"1.0.0","subdomain":"failing-2","env":{"MODE":"bad"}` + fields + `}`, "server.js": listen}
		maps.Copy(f, more)
		return f
	}
	good := version("", nil)
	good["package.json"] = `{"name":"app","version":"1.0.0","subdomain":"failing","env":{"MODE":"good"}}`
	id := a.deploy(good)
	before := a.running()
	l := underLoad(a, "good")

	builds := map[string]struct {
		f      files
		reason string
	}{
		"unpack":       {version("", files{"../../outside": "x"}), "outside"},
		"engines":      {version(`,"engines":{"node":">=99"}`, nil), "engines"},
		"package.json": {files{"package.json": `{"name":`}, "JSON"},
		"install":      {version(`,"dependencies":{"no-such-package-of-the-tests":"1.0.0"}`, nil), "no-such-package-of-the-tests"},
		"script":       {version(`,"scripts":{"postinstall":"exit 4","start":"node server.js"}`, nil), "failed"},
		"build":        {version(`,"scripts":{"build":"echo not today; exit 5","start":"node server.js"}`, nil), "npm run build failed"},
		"prune": {
			version(`,"devDependencies":{"lodash.merge":"4.6.2"},"scripts":{"build":"echo { > package.json","start":"node server.js"}`, nil),
			"npm prune failed",
		},
		"clean-up":      {version(`,"scripts":{"heroku-cleanup":"exit 6","start":"node server.js"}`, nil), "heroku-cleanup failed"},
		"a folder":      {version(`,"dependencies":{"lib":"file:../lib"}`, files{"package-lock.json": linkLock}), `there is no such file or folder`},
		"two lockfiles": {version("", files{"yarn.lock": "", "package-lock.json": "{}"}), "lock"},
	}
	for name, test := range builds {
		id := "snapshots/1.0.0-" + strings.ReplaceAll(name, " ", "-")
		got := a.call(t.Context(), http.MethodPost, id, bytes.NewReader(test.f.tgz(t)))
		failure := got.trailer.Get("X-Build-Failure")
		if got.status/100 == 2 && failure == "" || !strings.Contains(failure+got.body, test.reason) {
			t.Errorf("%s: got %d %q\n%s", name, got.status, failure, got.body)
		}
	}
	starts := map[string]struct {
		f      files
		reason string
	}{
		"exits":         {version("", files{"server.js": "process.exit(3)"}), "exited with code 3"},
		"never listens": {version("", files{"server.js": "setInterval(() => {}, 1000)"}), "did not accept connections"},
		"dies early":    {version("", files{"server.js": listen + "; setTimeout(() => process.exit(6), 100)"}), "exited with code 6"},
		"health":        {version(`,"health":"/up"`, files{"server.js": strings.Replace(listen, "res.end(", "res.writeHead(500).end(", 1)}), "/up"},
		"release":       {version("", files{"Procfile": "web: node server.js\nrelease: exit 7\n"}), "release"},
		"worker":        {version("", files{"Procfile": "web: node missing.js\nworker: sleep 1000\n"}), "exited with code 1"},
	}
	for name, test := range starts {
		bad, output, failure := a.upload(test.f)
		if failure != "" {
			t.Fatalf("%s: the build failed: %s\n%s", name, failure, output)
		}
		got := a.call(t.Context(), http.MethodPost, "start", strings.NewReader(`{"snapshot":"`+bad+`"}`))
		if got.status/100 == 2 || !strings.Contains(got.body, test.reason) {
			t.Errorf("%s: got %d %s", name, got.status, got.body)
		}
		if left := a.processes(bad); len(left) > 0 {
			t.Errorf("%s has processes: %v", name, left)
		}
	}
	// Whoever starts it leaves before it is up.
	left, _, _ := a.upload(starts["never listens"].f)
	ctx, leave := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.s.api+"/apps/"+user+"/"+a.name+"/start", strings.NewReader(`{"snapshot":"`+left+`"}`))
		if err == nil {
			req.SetBasicAuth(user, a.s.token)
			_, err = read(http.DefaultClient.Do(req)) //nolint:bodyclose // read closes it
		}
		if err == nil {
			t.Error("the start was answered")
		}
	}()
	until(t, "the version to be started", func() bool { return len(a.processes(left)) > 0 })
	leave()
	<-ended
	until(t, "the version to be ended", func() bool { return len(a.processes(left)) == 0 })

	answered, bad := l.ended()
	if answered == 0 || len(bad) > 0 {
		t.Errorf("%d answers were right, %d were not: %.1000q", answered, len(bad), bad)
	}
	if got := a.running(); got != before || got != "started "+id {
		t.Errorf("running is %q, before %q", got, before)
	}
	a.ok(a.call(t.Context(), http.MethodPost, "restart", nil))
	a.answers("good")
}
