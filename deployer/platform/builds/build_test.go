package builds_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/builds"
	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
)

// The only test that uses the public npm registry.
func TestBuildInstallsFromTheRealRegistry(t *testing.T) {
	t.Parallel()
	b := setup(t, builds.Options{})
	b.mustBuild(app(t, `{"name":"a","version":"1.0.0","dependencies":{"is-number":"7.0.0"}}`))
	mention(t, b.read("node_modules/is-number/package.json"), `"7.0.0"`)
	mention(t, b.out.String(), "npm install", "added 1 package")
}

func TestBuildInstallsProductionDependencies(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	integrity := r.publish(t, "left", "1.0.0")
	r.publish(t, "left", "1.5.0")
	r.publish(t, "right", "1.0.0")
	text := `{"name":"a","version":"1.0.0","dependencies":{"left":"^1.0.0"},"devDependencies":{"right":"1.0.0"}}`
	lock := fmt.Sprintf(`{"name":"a","version":"1.0.0","lockfileVersion":3,"packages":{
		"":{"name":"a","version":"1.0.0","dependencies":{"left":"^1.0.0"},"devDependencies":{"right":"1.0.0"}},
		"node_modules/left":{"version":"1.0.0","resolved":"%[1]s/left/-/left-1.0.0.tgz","integrity":%[2]q},
		"node_modules/right":{"version":"1.0.0","resolved":"%[1]s/right/-/right-1.0.0.tgz","dev":true}}}`, r.url, integrity)
	for _, test := range []struct {
		name, verb, version string
		files               []string
	}{
		{"without a lockfile", "npm install", "1.5.0", nil},
		{"package-lock.json", "npm ci", "1.0.0", []string{"package-lock.json", lock}},
		{"npm-shrinkwrap.json", "npm ci", "1.0.0", []string{"npm-shrinkwrap.json", lock}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, builds.Options{Registry: r.url})
			b.mustBuild(app(t, text, test.files...))
			mention(t, b.read("node_modules/left/package.json"), test.version)
			mention(t, b.out.String(), test.verb)
			if _, err := os.Stat(filepath.Join(b.dir, "node_modules", "right")); !os.IsNotExist(err) {
				t.Errorf("a development dependency is installed: %v", err)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, builds.Options{Registry: r.url})
		reason := b.failure(app(t, `{"name":"a","dependencies":{"nowhere":"1"}}`))
		mention(t, reason, "npm install failed", "E404")
		mention(t, b.out.String(), "nowhere")
	})
}

func TestBuildIsolatesScripts(t *testing.T) {
	t.Setenv("WEBHOOKS_TEST_SECRET", "canary")
	t.Setenv("npm_config_canary", "canary")
	b := setup(t, builds.Options{Env: map[string]string{"OPERATOR": "yes"}})
	b.mustBuild(app(t, `{"name":"a","scripts":{"postinstall":"env > env.txt; id -u > uid.txt; pwd > pwd.txt; ulimit -n > files.txt"}}`))
	env := b.read("env.txt")
	if strings.Contains(env, "canary") {
		t.Errorf("a script has variables of the server's environment:\n%s", env)
	}
	mention(t, env, "OPERATOR=yes", "NODE_ENV=production", "HOME="+b.cache, "TMPDIR="+b.cache)
	want := os.Getuid()
	if b.as != nil {
		want = int(b.as.Uid)
	}
	if got := strings.TrimSpace(b.read("uid.txt")); got != strconv.Itoa(want) {
		t.Errorf("a script runs as %s, want %d", got, want)
	}
	if got := strings.TrimSpace(b.read("files.txt")); got != "4096" {
		t.Errorf("a script may open %s files", got)
	}
	if left, err := os.ReadDir(filepath.Join(b.cache, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("temporary folders are left: %v, %v", left, err)
	}
}

func TestBuildEndsHangingScripts(t *testing.T) {
	t.Parallel()
	// The script prints its process ids once all processes run.
	for _, way := range []string{"limit", "cancel"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			o := builds.Options{Grace: 100 * time.Millisecond}
			if way == "limit" {
				o.Timeout = time.Minute // in which npm runs the script, however busy the machine is
			}
			b := setup(t, o)
			script := `trap '' TERM; sleep 1000 & a=$!; setsid sleep 1001 & b=$!; echo PIDS $$ $a $b; wait`
			watch := &watcher{found: make(chan string, 1), mark: "PIDS "}
			failed := make(chan error, 1)
			go func() {
				_, err := b.Build(ctx, builds.Snapshot{
					Tgz:        bytes.NewReader(app(t, fmt.Sprintf(`{"name":"a","scripts":{"postinstall":%q}}`, script), ".npmrc", "foreground-scripts=true\n")),
					Dir:        b.dir,
					Credential: b.as,
				}, watch)
				failed <- err
			}()
			var pids []string
			select {
			case line := <-watch.found:
				pids = strings.Fields(line)
			case err := <-failed:
				t.Fatalf("the script did not run: %v", err)
			}
			if way == "cancel" {
				cancel()
			}
			err := <-failed
			reason, isBlamed := blamed(err)
			if isBlamed != (way == "limit") || err == nil {
				t.Errorf("error %v", err)
			}
			if isBlamed {
				mention(t, reason, "longer than 1m0s")
			}
			for _, text := range pids {
				pid, err := strconv.Atoi(text)
				if err != nil || len(pids) != 3 {
					t.Fatalf("pids %q", pids)
				}
				if err := syscall.Kill(pid, 0); err == nil {
					t.Errorf("pid %d of %v is left", pid, pids)
				}
			}
			if _, err := os.Stat(b.dir); !os.IsNotExist(err) {
				t.Errorf("the folder is left: %v", err)
			}
		})
	}
}

// watcher waits for the line that begins with mark.
type watcher struct {
	found chan string
	mark  string
	text  string
	sent  bool
}

// Write looks for the line.
func (w *watcher) Write(p []byte) (int, error) {
	w.text += string(p)
	for line := range strings.Lines(w.text) {
		if rest, ok := strings.CutPrefix(line, w.mark); ok && !w.sent && strings.HasSuffix(line, "\n") {
			w.sent = true
			w.found <- rest
		}
	}
	return len(p), nil
}

func TestBuildEndsChildren(t *testing.T) {
	t.Parallel()
	b := setup(t, builds.Options{})
	leaves := "sleep 1000 & echo $! > pid.txt; setsid sleep 1001 >/dev/null 2>&1 & echo $! >> pid.txt"
	if b.as != nil {
		// Then a process that left the group and cleared its environment is found, too.
		leaves += `; env -i PATH="$PATH" setsid sleep 1002 >/dev/null 2>&1 & echo $! >> pid.txt`
	}
	text, err := json.Marshal(map[string]any{"name": "a", "scripts": map[string]string{"postinstall": leaves}})
	if err != nil {
		t.Fatal(err)
	}
	b.mustBuild(app(t, string(text)))
	for text := range strings.FieldsSeq(b.read("pid.txt")) {
		pid, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		if syscall.Kill(pid, 0) == nil {
			t.Errorf("pid %d is left", pid)
		}
	}
}

// Options.Start gets the limits of the whole build.
func TestBuildPassesLimits(t *testing.T) {
	t.Parallel()
	var seen []group.Limits
	b := setup(t, builds.Options{Memory: 1 << 30, Processes: 99, Start: func(cmd *exec.Cmd, mark string, limits group.Limits) (*group.Group, error) {
		seen = append(seen, limits)
		return (*group.Cgroups)(nil).Start(cmd, mark, group.Limits{})
	}})
	b.mustBuild(app(t, `{"name":"a","scripts":{"postinstall":"true"}}`))
	if want := (group.Limits{Memory: 1 << 30, Processes: 99}); len(seen) != 1 || seen[0] != want {
		t.Errorf("limits %+v, want %+v", seen, want)
	}
}

// A build whose processes together use more memory than its limit is ended, and says so.
func TestBuildLimitsMemory(t *testing.T) {
	t.Parallel()
	b := setup(t, builds.Options{Memory: 600 << 20})
	const much = "head -c 400000000 /dev/zero | tail -n 1 | sleep 1000"
	got := b.failure(app(t, `{"name":"a","scripts":{"build":"`+much+` & `+much+` & wait"}}`))
	mention(t, got, "the build needed more than 600 MiB of memory")
}

func TestBuildLimitsOutput(t *testing.T) {
	t.Parallel()
	b := setup(t, builds.Options{MaxOutput: 1000})
	b.mustBuild(app(t, `{"name":"a","scripts":{"postinstall":"yes | head -n 100000; exit 0"}}`, ".npmrc", "foreground-scripts=true\n"))
	if n := b.out.Len(); n > 1500 {
		t.Errorf("%d bytes of output", n)
	}
	mention(t, b.out.String(), "the rest of the output is not shown")
}

// fakeNode publishes a Node.js package that reports the given version and runs the
// installed node.
func fakeNode(t *testing.T, r *registry, version string) {
	t.Helper()
	arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	script := "#!/bin/sh\nif [ \"$1\" = --version ]; then echo v" + version + "; else exec node \"$@\"; fi\n"
	r.publish(t, "node-linux-"+arch, version, entry{name: "package/bin/node", text: script, mode: 0o755})
}

func TestBuildFindsNode(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	fakeNode(t, r, "8.17.0")
	fakeNode(t, r, "8.16.0")
	fakeNode(t, r, "12.0.0-pre")
	own := setup(t, builds.Options{}).mustBuild(app(t, pkg))

	cache := filepath.Join(t.TempDir(), "cache")
	with := func(engines string) (*fixture, []byte) {
		b := setup(t, builds.Options{Registry: r.url, Cache: cache})
		b.as = nil
		return b, app(t, `{"name":"a","engines":`+engines+`}`)
	}
	major, _, _ := strings.Cut(own.NodeVersion, ".")
	for _, engines := range []string{
		`{}`, `{"node":""}`, `{"node":"*"}`, `{"node":"x"}`, `{"node":">=0.6.x"}`, `{"node":">= 4"}`, `{"node":"^` + major + `"}`,
		`{"node":"` + major + `.x"}`, `{"node":"~` + own.NodeVersion + `"}`, `{"node":"0.10 || >=4.0.0 <100"}`, `{"node":"4 - 99"}`,
		`"node >= 0.4"`, `["node >=0.6.0","rhino"]`, `{"npm":"1"}`, `{"node":` + major + `}`, `null`, `{"node":"v` + own.NodeVersion + `"}`,
	} {
		b, tgz := with(engines)
		if result := b.mustBuild(tgz); result.Node != own.Node || result.NodeVersion != own.NodeVersion {
			t.Errorf("engines %s: %s at %s, want the server's own", engines, result.NodeVersion, result.Node)
		}
	}
	if len(r.seen) > 0 {
		t.Errorf("the registry got requests for %v", r.seen)
	}
	// The order matters: fetched versions are preferred to newer ones.
	for _, test := range [][2]string{{`{"node":"8.x"}`, "8.17.0"}, {`{"node":"~8.16"}`, "8.16.0"}} {
		engines, want := test[0], test[1]
		b, tgz := with(engines)
		result := b.mustBuild(tgz)
		if result.NodeVersion != want || !strings.HasPrefix(result.Node, cache) {
			t.Errorf("engines %s: %s at %s", engines, result.NodeVersion, result.Node)
		}
		mention(t, b.out.String(), want+" from the npm registry")
	}
	before := len(r.seen)
	b, tgz := with(`{"node":"<9"}`)
	if result := b.mustBuild(tgz); result.NodeVersion != "8.17.0" || len(r.seen) != before {
		t.Errorf("got %s and %d more requests to the registry, want 8.17.0 and none", result.NodeVersion, len(r.seen)-before)
	}
	for engines, want := range map[string]string{
		`{"node":">=8.18 <9"}`:           ">=8.18 <9",
		`{"node":"10.x"}`:                "10.x",
		`{"node":"12.0.0-pre"}`:          "12.0.0-pre",
		`{"node":"git+ssh://evil/x"}`:    "is not a range",
		`{"node":"file:/etc"}`:           "is not a range",
		`{"node":"--registry=x"}`:        "is not a range",
		`{"node":"1; rm -rf /"}`:         "is not a range",
		`{"node":"somewhat-new"}`:        "is not a range",
		`{"node":"not a range, really"}`: "is not a range",
	} {
		b, tgz := with(engines)
		mention(t, b.failure(tgz), want, "engines.node")
	}
}

// Sweep removes unused Node.js versions and partly fetched packages.
func TestSweepRemovesNodes(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	for _, version := range []string{"8.16.0", "8.17.0"} {
		fakeNode(t, r, version)
	}
	b := setup(t, builds.Options{Registry: r.url})
	if err := b.Sweep(nil); err != nil {
		t.Errorf("without a cache: %v", err)
	}
	var nodes []string
	for _, engines := range []string{"8.16.0", "8.17.0"} {
		nodes = append(nodes, b.mustBuild(app(t, `{"name":"a","engines":{"node":"`+engines+`"}}`)).Node)
		if err := os.RemoveAll(b.dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, left := range []string{"packages/next-1/package.json", "tmp/build-1/x"} { // left by a server that was killed
		if err := os.MkdirAll(filepath.Join(b.cache, left), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Sweep(nodes[1:]); err != nil {
		t.Fatal(err)
	}
	rest, err := os.ReadDir(filepath.Join(b.cache, "packages"))
	if err != nil || len(rest) != 1 || !strings.HasSuffix(rest[0].Name(), "@8.17.0") {
		t.Errorf("got packages %v, %v, want 8.17.0 only", rest, err)
	}
	if _, err := os.Stat(nodes[1]); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(b.cache, "tmp")); !os.IsNotExist(err) {
		t.Errorf("temporary folders are left: %v", err)
	}
}

// Sweep keeps the Node.js that runs the package manager of an app, which is not the app's.
func TestSweepKeepsNodeOfPackageManager(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	for _, version := range []string{"98.0.0", "99.0.0"} {
		fakeNode(t, r, version)
	}
	r.publishManifest(t, "pnpm", "11.0.0", map[string]any{"engines": map[string]string{"node": ">=99"}}, entry{name: "package/bin/pnpm.mjs", text: "console.log('it runs')"})
	b := setup(t, builds.Options{Registry: r.url})
	other := b.mustBuild(app(t, `{"name":"a","engines":{"node":"98"}}`)).Node
	if err := os.RemoveAll(b.dir); err != nil {
		t.Fatal(err)
	}
	result := b.mustBuild(app(t, `{"name":"a","packageManager":"pnpm@11.0.0","scripts":{"build":"make"}}`))
	if err := b.Sweep(append(result.Path, result.Node)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), filepath.Join(result.Path[len(result.Path)-1], "pnpm")).CombinedOutput(); err != nil || string(out) != "it runs\n" { //nolint:gosec // written by the test
		t.Errorf("pnpm prints %q, %v", out, err)
	}
	if _, err := os.Stat(other); !os.IsNotExist(err) {
		t.Errorf("a Node.js that nothing uses is left: %v", err)
	}
}

func TestUnreachableRegistryIsTemporary(t *testing.T) {
	t.Parallel()
	b := setup(t, builds.Options{Registry: "http://127.0.0.1:1", Env: map[string]string{"npm_config_fetch_retries": "0"}})
	_, err := b.build(app(t, `{"name":"a","engines":{"node":"8.x"}}`))
	if _, again := core.Retryable(err); !again {
		t.Errorf("got error %v, want a temporary error", err)
	}
}

// A build that reaches its time limit is not tried again. A step that begins after it
// returns the error of the context, which would be temporary by itself.
func TestTimeLimitIsFinal(t *testing.T) {
	t.Parallel()
	const limit = time.Second
	b := setup(t, builds.Options{Timeout: limit})
	_, err := b.Build(t.Context(), builds.Snapshot{
		Tgz: bytes.NewReader(app(t, `{"name":"a","dependencies":{"left":"1.0.0"}}`)), Dir: b.dir, Credential: b.as,
	}, &passing{limit: limit})
	if reason, ok := blamed(err); !ok || !strings.Contains(reason, "the build took longer than 1s") {
		t.Errorf("got error %v, want the app's failure", err)
	}
}

// passing lets the time limit of a build pass while it says which Node.js it uses.
type passing struct {
	limit time.Duration
	once  sync.Once
}

// Write returns after the limit.
func (p *passing) Write(text []byte) (int, error) {
	if bytes.Contains(text, []byte("Using Node.js")) {
		p.once.Do(func() { <-time.After(p.limit) })
	}
	return len(text), nil
}
