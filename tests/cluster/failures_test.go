package cluster_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/kubernetes"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// answers is an app that answers with a text once the file that it is started with is
// loaded.
func answers(text string) string {
	return fmt.Sprintf(`
console.log('up %[1]s');
const server = require('http').createServer((req, res) => res.end('%[1]s'));
server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close(() => process.exit(0)));`, text)
}

// request requests the app, as the platform's router does; "" is no answer.
func request(ctx context.Context, r *kubernetes.Runner) string {
	target, ok := r.Pick("me", "app", "")
	if !ok {
		return ""
	}
	defer target.Done()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+target.Addr, http.NoBody)
	if err != nil {
		return ""
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.Refused("me", "app", target.Addr)
		return ""
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return string(text)
}

// run has a version run in place of what runs.
func run(t *testing.T, r *kubernetes.Runner, v runner.Version) {
	t.Helper()
	c, err := r.Launch(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	c.Promote()
	c.Commit(0)
}

// await waits until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	limit := time.Now().Add(patience)
	for !so() {
		if time.Now().After(limit) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// failing is a version that fails to start.
type failing struct {
	js             string
	change         func(*runner.Version)
	reason, detail string
	late           *clock // hurries once it has logged the detail; nil: the version fails by itself
}

// failToStart launches versions that fail. What they fail with is reported, and what
// ran before goes on.
func failToStart(t *testing.T, r *kubernetes.Runner, versions map[string]failing) {
	t.Helper()
	for name, one := range versions {
		v := version(t, strings.ReplaceAll(name, " ", "-"), one.js)
		if one.change != nil {
			one.change(&v)
		}
		_, err := launchLate(t, r, v, one.late, func() bool { return logged(t, r, one.detail) })
		e := core.AsError(err)
		if core.CodeOf(err) != core.CodePlatformStartFailed || !strings.Contains(e.Reason, one.reason) || !strings.Contains(e.Detail, one.detail) {
			t.Errorf("%s: got %v with %+v, want %q and %q", name, err, e, one.reason, one.detail)
		}
		if got := request(t.Context(), r); got != "one" {
			t.Errorf("%s: the app answers %q", name, got)
		}
	}
}

// launchLate launches a version that does not fail by itself: once ready reports so,
// the time passes faster.
func launchLate(t *testing.T, r *kubernetes.Runner, v runner.Version, c *clock, ready func() bool) (runner.Candidate, error) {
	t.Helper()
	if c == nil {
		return r.Launch(t.Context(), v)
	}
	c.ahead.Store(0)
	launched := make(chan struct{})
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer close(launched)
	waiting.Go(func() {
		for !ready() {
			select {
			case <-launched:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
		end := c.hurry()
		<-launched
		end()
	})
	return r.Launch(t.Context(), v)
}

// logged reports whether the app's log has a line.
func logged(t *testing.T, r *kubernetes.Runner, text string) bool {
	t.Helper()
	all, err := r.Logs("me", "app", time.Time{}, time.Time{}, 1000)
	if err != nil {
		t.Error(err)
	}
	return slices.ContainsFunc(all, func(l runner.Line) bool { return l.Text == text })
}

// A version that never gets ready fails after a while, and its reason says what is
// wrong.
func TestNeverReady(t *testing.T) {
	t.Parallel()
	late := &clock{}
	o := options(t, namespace(t), toolsImage(t))
	o.Now = late.now
	r := start(t, o)
	run(t, r, version(t, "1", answers("one")))
	failToStart(t, r, map[string]failing{
		"never": {
			js:     `console.log('idle'); setInterval(() => {}, 1000)`,
			reason: "did not accept connections on PORT within 10m0s", detail: "idle", late: late,
		},
		"loopback": {
			js:     `require('http').createServer((q, r) => r.end()).listen(process.env.PORT, '127.0.0.1', () => console.log('up within'))`,
			reason: "use 0.0.0.0", detail: "up within", late: late,
		},
		"unhealthy": {
			js:     `require('http').createServer((q, r) => { r.statusCode = 500; r.end() }).listen(process.env.PORT, () => console.log('up but ill'))`,
			change: func(v *runner.Version) { v.Health = "/healthz" }, reason: "/healthz", detail: "up but ill", late: late,
		},
	})
}

// A version that ends by itself fails with what it says, one that the cluster refuses
// with the cluster's reason.
func TestFailures(t *testing.T) {
	t.Parallel()
	space := namespace(t)
	late := &clock{}
	o := options(t, space, toolsImage(t))
	o.Now = late.now
	r := start(t, o)
	run(t, r, version(t, "1", answers("one")))
	failToStart(t, r, map[string]failing{
		"crash":      {js: `console.error('no database'); process.exit(7)`, reason: "drone 1 exited with code 7 before it accepted connections", detail: "no database"},
		"memory":     {js: `console.log('eating'); const all = []; setInterval(() => all.push(Buffer.alloc(32 << 20, 1)), 1)`, change: func(v *runner.Version) { v.Limits.Memory = 96 << 20 }, reason: "needed more memory", detail: "eating"},
		"no program": {js: `1`, change: func(v *runner.Version) { v.Start = "no-such-program" }, reason: "exited with code 127", detail: "no-such-program"},
	})
	await(t, "the end of what failed", func() bool {
		return strings.Count(kubectl(t, "", "-n", space, "get", "deployments,secrets", "-l", "app.kubernetes.io/managed-by=webhooks", "-o", "name"), "\n") == 1
	})
	kubectl(t, "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: pods}\nspec: {hard: {pods: \"1\"}}", "-n", space, "apply", "-f", "-")
	_, err := launchLate(t, r, version(t, "quota", answers("two")), late, func() bool {
		return strings.Contains(kubectl(t, "", "-n", space, "get", "deployments", "-l", "app.kubernetes.io/version=quota", "-o", "jsonpath={.items[*].status.conditions[*].message}"), "exceeded quota")
	})
	if e := core.AsError(err); core.CodeOf(err) != core.CodePlatformStartFailed || !strings.Contains(e.Reason, "exceeded quota") {
		t.Errorf("with a quota got %v", err)
	}
	if got := request(t.Context(), r); got != "one" {
		t.Errorf("the app answers %q", got)
	}
}

// An app writes beside its code, and finds the package manager that its build has
// fetched, as it does where apps are processes.
func TestAppWrites(t *testing.T) {
	t.Parallel()
	r := start(t, options(t, namespace(t), toolsImage(t)))
	tool := filepath.Join(t.TempDir(), "pnpm@9.1.0")
	for path, text := range map[string]string{
		"node_modules/pnpm/bin/pnpm.cjs": "console.log('run by pnpm ' + process.argv.slice(2))",
		"bin-20.0.0/pnpm":                "#!/bin/sh\nexec '/usr/bin/node' '" + tool + "/node_modules/pnpm/bin/pnpm.cjs' \"$@\"\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(tool, path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(tool, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v := version(t, "1", `
const fs = require('fs');
fs.mkdirSync('cache/pages', {recursive: true});
fs.writeFileSync('cache/pages/one', 'written');
fs.appendFileSync('server.js', '\n');
const ran = require('child_process').execSync('pnpm start');
require('http').createServer((q, r) => r.end(fs.readFileSync('cache/pages/one') + ', ' + ran)).listen(process.env.PORT);`)
	v.Path = []string{filepath.Join(tool, "bin-20.0.0")}
	run(t, r, v)
	if got := request(t.Context(), r); got != "written, run by pnpm start\n" {
		t.Errorf("the app answers %q", got)
	}
}

// A node that can't pull the image is reported.
func TestImageNotPulled(t *testing.T) {
	t.Parallel()
	// The nodes want TLS of a registry that they do not know.
	host, _, err := net.SplitHostPort(shared.Registry)
	if err != nil {
		t.Fatal(err)
	}
	url := serveAt(t, net.JoinHostPort(host, "0"), registry.New(registry.Logger(log.New(io.Discard, "", 0))).ServeHTTP)
	late := &clock{}
	o := options(t, namespace(t), toolsImage(t))
	o.Image.Registry, o.Now = strings.TrimPrefix(url, "http://"), late.now
	r := start(t, o)
	_, err = launchLate(t, r, version(t, "1", answers("one")), late, func() bool {
		return strings.Contains(kubectl(t, "", "-n", o.Namespace, "get", "pods", "-o", "jsonpath={.items[*].status.containerStatuses[*].state.waiting.reason}"), "ImagePull")
	})
	if e := core.AsError(err); core.CodeOf(err) != core.CodePlatformStartFailed || !strings.Contains(e.Reason, "can't be started: ") || !strings.Contains(e.Reason, "ImagePull") {
		t.Errorf("got %v", err)
	}
}

// A start that was delayed changes nothing after a later one, though it is another
// platform's.
func TestFence(t *testing.T) {
	t.Parallel()
	o := options(t, namespace(t), toolsImage(t))
	r := start(t, o)
	v := version(t, "1", answers("one"))
	v.Order = "01"
	o.Dir = t.TempDir() // another platform
	delayed := start(t, o)
	c, err := delayed.Launch(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	v = version(t, "2", answers("two"))
	v.Order = "02"
	run(t, r, v)
	order := func() string {
		return kubectl(t, "", "-n", o.Namespace, "get", "service", "me-app", "--ignore-not-found", "-o", "jsonpath={.metadata.annotations.webhooks\\.nodejitsu\\.com/order}")
	}
	await(t, "the Service of the second version", func() bool { return order() == "02" })
	c.Promote()
	c.Commit(0)
	selected := kubectl(t, "", "-n", o.Namespace, "get", "service", "me-app", "-o", "jsonpath={.metadata.annotations.webhooks\\.nodejitsu\\.com/order} {.spec.selector.webhooks\\.nodejitsu\\.com/launch}")
	if want := "02 " + kubectl(t, "", "-n", o.Namespace, "get", "deployment", "-l", "app.kubernetes.io/version=2", "-o", "jsonpath={.items[0].metadata.labels.webhooks\\.nodejitsu\\.com/launch}"); selected != want {
		t.Errorf("the Service has %q, want %q", selected, want)
	}
	v.Order = "01"
	if _, err := delayed.Launch(t.Context(), v); core.CodeOf(err) != core.CodePlatformSuperseded {
		t.Errorf("got %v", err)
	}
}

// While versions replace each other, no request is lost.
func TestRollouts(t *testing.T) {
	t.Parallel()
	r := start(t, options(t, namespace(t), toolsImage(t)))
	v := version(t, "v0", answers("v0"))
	v.Drones = 2
	run(t, r, v)
	ctx, cancel := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	var sent, lost atomic.Int64
	for range 4 {
		sending.Go(func() {
			for ctx.Err() == nil {
				sent.Add(1)
				if !strings.HasPrefix(request(t.Context(), r), "v") {
					lost.Add(1)
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	const rollouts = 20
	for i := range rollouts {
		text := fmt.Sprintf("v%d", i+1)
		v := version(t, text, answers(text))
		v.Drones = 2
		run(t, r, v)
		if got := request(t.Context(), r); got != text {
			t.Errorf("after the rollout of %s the app answers %q", text, got)
		}
	}
	cancel()
	sending.Wait()
	t.Logf("%d requests, %d lost", sent.Load(), lost.Load())
	if lost.Load() > 0 || sent.Load() < 100 {
		t.Errorf("%d of %d requests are lost", lost.Load(), sent.Load())
	}
}

// A platform that was killed while a version was on trial leaves what ran before to the
// next one, which removes the other. Nothing is started anew, and no line is lost.
func TestKilled(t *testing.T) {
	t.Parallel()
	space := namespace(t)
	o := options(t, space, toolsImage(t))
	v := version(t, "1", `let n = 0; setInterval(() => console.log('line ' + n++), 20);`+answers("one"))
	first, err := kubernetes.New(o)
	if err == nil {
		err = first.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	run(t, first, v)
	other := version(t, "2", answers("two"))
	c, err := first.Launch(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	c.Promote()
	await(t, "lines", func() bool { return len(lines(t, first)) > 20 })
	first.Kill()
	of := func(snapshot string) string {
		return kubectl(t, "", "-n", space, "get", "pods", "-l", "app.kubernetes.io/version="+snapshot, "-o", "jsonpath={.items[*].metadata.uid}")
	}
	uid := of("1")

	second := start(t, o)
	if _, err := second.Resume(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	second.EndOthers(t.Context())
	await(t, "the app", func() bool { return request(t.Context(), second) == "one" })
	if got := of("1"); got != uid {
		t.Errorf("the pod is %s, want %s", got, uid)
	}
	await(t, "the end of the version on trial", func() bool { return of("2") == "" })
	// Lines go on, each of them once.
	before := len(lines(t, second))
	await(t, "more lines", func() bool { return len(lines(t, second)) > before+50 })
	for i, text := range lines(t, second) {
		if want := fmt.Sprintf("line %d", i); text != want {
			t.Fatalf("line %d is %q, want %q", i, text, want)
		}
	}
	if s := second.State("me", "app"); s.Phase != runner.Started || s.Restarts != 0 || s.Snapshot != "1" {
		t.Errorf("state %+v", s)
	}
}

// lines returns the numbered lines of the app's log.
func lines(t *testing.T, r *kubernetes.Runner) (texts []string) {
	t.Helper()
	all, err := r.Logs("me", "app", time.Time{}, time.Time{}, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		if strings.HasPrefix(l.Text, "line ") {
			texts = append(texts, l.Text)
		}
	}
	return texts
}

// While the API server is away the app answers, a start waits, and goes on when it is
// back. This test is not parallel: it takes the API server away from all.
func TestAPIAway(t *testing.T) { //nolint:paralleltest // it stops the API server
	r := start(t, options(t, namespace(t), toolsImage(t)))
	run(t, r, version(t, "1", answers("one")))
	v := version(t, "2", answers("two"))
	shared.StopAPI()
	startAPI := sync.OnceValue(func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		return shared.StartAPI(ctx)
	})
	t.Cleanup(func() { // before the runner halts the app
		if err := startAPI(); err != nil {
			t.Error(err)
		}
	})
	launched := make(chan error, 1)
	go func() {
		c, err := r.Launch(t.Context(), v)
		if err == nil {
			c.Promote()
			c.Commit(0)
		}
		launched <- err
	}()
	for range 50 {
		if got := request(t.Context(), r); got != "one" {
			t.Fatalf("without an API server the app answers %q", got)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if s := r.State("me", "app"); s.Phase != runner.Started || s.Drones != 1 {
		t.Errorf("state %+v", s)
	}
	if err := startAPI(); err != nil {
		t.Fatal(err)
	}
	if err := <-launched; err != nil {
		t.Fatal(err)
	}
	if got := request(t.Context(), r); got != "two" {
		t.Errorf("in the end the app answers %q", got)
	}
}
