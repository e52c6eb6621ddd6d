package builds_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/builds"
)

// A build has the app's environment, overridden by package.json's, and values of
// variables that are named like credentials do not appear in the output.
func TestBuildHasTheAppsEnvironment(t *testing.T) {
	t.Parallel()
	b := setup(t, builds.Options{})
	b.env = map[string]string{"FLAG": "yes", "BOTH": "people's", "API_TOKEN": "canary-secret", "PATH": "/evil", "HOME": "/evil", "bad\x00name": "x"}
	result := b.mustBuild(app(t, `{"name":"a","env":{"BOTH":"package's","PORT_COUNT":3},"scripts":{"build":"env > env.txt; echo token $API_TOKEN; test \"$CI\" = true","start":"x"}}`))
	env := b.read("env.txt")
	mention(t, env, "FLAG=yes", "BOTH=package's", "PORT_COUNT=3", "API_TOKEN=canary-secret", "NODE_ENV=production")
	if strings.Contains(env, "=/evil") {
		t.Errorf("the app's environment overrides PATH or HOME:\n%s", env)
	}
	if out := b.out.String(); strings.Contains(out, "canary") || !strings.Contains(out, "token ***") {
		t.Errorf("the output is\n%s", out)
	}
	if result.Env["BOTH"] != "package's" || result.Env["npm_lifecycle_event"] != "start" || result.Env["FLAG"] != "" {
		t.Errorf("the app is started with %v", result.Env)
	}
}

// A dependency that can't be installed by the server's Node.js, as its lockfile says, is
// installed by another.
func TestInstallByAnotherNode(t *testing.T) {
	t.Parallel()
	const script = `process.env.NPM_NODE === '98' || process.exit(1)`
	dep := pack(t,
		entry{name: "package/package.json", text: `{"name":"dep","version":"1.0.0","engines":{"node":"98"},"scripts":{"install":"node install.js"}}`},
		entry{name: "package/install.js", text: script})
	const lock = `{"name":"a","lockfileVersion":3,"packages":{
		"":{"name":"a","dependencies":{"dep":"file:dep.tgz"}},
		"node_modules/dep":{"version":"1.0.0","resolved":"file:dep.tgz","hasInstallScript":true,"engines":{"node":"98"}}}}`
	other := wrappedNode(t, "if [ \"$1\" = --version ]; then echo v98.10.0; else NPM_NODE=98 exec %s \"$@\"; fi\n")
	b := setup(t, builds.Options{Nodes: []string{other}})
	b.mustBuild(app(t, `{"name":"a","dependencies":{"dep":"file:dep.tgz"},"scripts":{"start":"x"}}`, "dep.tgz", string(dep), "package-lock.json", lock))
	mention(t, b.out.String(), `Using Node.js 98.10.0, as dep asks for Node.js "98"`)
}

// wrappedNode returns the path of a shell script with the path of node in it.
func wrappedNode(t *testing.T, script string) string {
	t.Helper()
	installed, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, dir := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the app's user searches it
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "node")
	if err := os.WriteFile(path, fmt.Appendf(nil, "#!/bin/sh\n"+script, installed), 0o755); err != nil { //nolint:gosec // the same
		t.Fatal(err)
	}
	return path
}

// Of the server's environment, a build has the settings of the network alone.
func TestBuildHasNetworkSettings(t *testing.T) {
	t.Setenv("NODE_EXTRA_CA_CERTS", "/etc/ssl/certs/own.pem")
	t.Setenv("NO_PROXY", "registry.internal")
	t.Setenv("OF_THE_SERVER", "canary")
	b := setup(t, builds.Options{})
	b.env = map[string]string{"NO_PROXY": "people's"}
	b.mustBuild(app(t, `{"name":"a","scripts":{"build":"env > env.txt","start":"x"}}`))
	env := b.read("env.txt")
	mention(t, env, "NODE_EXTRA_CA_CERTS=/etc/ssl/certs/own.pem\n", "NO_PROXY=people's\n")
	if strings.Contains(env, "canary") {
		t.Errorf("the build has the server's environment:\n%s", env)
	}
}

// Native modules are compiled with the headers that came with Node.js, unless .npmrc
// names others.
func TestNodeHeaders(t *testing.T) {
	t.Parallel()
	installed, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	top := t.TempDir()
	for _, dir := range []string{filepath.Dir(top), top} {
		if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the app's user searches it
			t.Fatal(err)
		}
	}
	const wrapper = "#!/bin/sh\nif [ \"$1\" = --version ]; then echo v99.1.0; else exec %s \"$@\"; fi\n"
	for name, text := range map[string]string{"bin/node": fmt.Sprintf(wrapper, installed), "include/node/node.h": ""} {
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // the same
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil { //nolint:gosec // the same
			t.Fatal(err)
		}
	}
	const pkg = `{"name":"a","engines":{"node":"99"},"scripts":{"build":"echo $npm_package_config_node_gyp_nodedir > dir.txt","start":"x"}}`
	b := setup(t, builds.Options{Nodes: []string{filepath.Join(top, "bin", "node")}})
	b.mustBuild(app(t, pkg))
	if got := strings.TrimSpace(b.read("dir.txt")); got != top {
		t.Errorf("the headers are in %q, want %q", got, top)
	}
	b = setup(t, builds.Options{Nodes: []string{filepath.Join(top, "bin", "node")}})
	b.mustBuild(app(t, pkg, ".npmrc", "nodedir=/other\n"))
	if got := strings.TrimSpace(b.read("dir.txt")); got != "" {
		t.Errorf("the headers are in %q although .npmrc names others", got)
	}
}

// Requests to a private registry have the token of the app's environment.
func TestPrivateRegistry(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.publish(t, "left", "1.0.0")
	b := setup(t, builds.Options{Registry: r.url})
	b.env = map[string]string{"NPM_TOKEN": "canary-secret"}
	host := strings.TrimPrefix(r.url, "http:")
	b.mustBuild(app(t, `{"name":"a","dependencies":{"left":"1.0.0"}}`, ".npmrc", host+"/:_authToken=${NPM_TOKEN}\n"))
	if got := r.sent(); got != "Bearer canary-secret" {
		t.Errorf("the registry got %q", got)
	}
}

// An outage of the registry is a temporary error.
func TestInstallWithoutRegistry(t *testing.T) {
	t.Parallel()
	b := setup(t, builds.Options{Registry: "http://127.0.0.1:1", Env: map[string]string{"npm_config_fetch_retries": "0"}})
	_, err := b.build(app(t, `{"name":"a","dependencies":{"left":"1.0.0"}}`))
	if _, again := core.Retryable(err); !again || core.CodeOf(err) != core.CodePlatformBuildFailed {
		t.Errorf("error %v", err)
	}
}

// An app that asks for no Node.js has one that its dependencies support.
func TestNodeOfTheDependencies(t *testing.T) {
	t.Parallel()
	installed, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	top := t.TempDir()
	for _, dir := range []string{filepath.Dir(top), top} {
		if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the app's user searches it
			t.Fatal(err)
		}
	}
	newer := filepath.Join(top, "node")
	text := fmt.Sprintf("#!/bin/sh\nif [ \"$1\" = --version ]; then echo v98.10.0; else exec %s \"$@\"; fi\n", installed)
	if err := os.WriteFile(newer, []byte(text), 0o755); err != nil { //nolint:gosec // the same
		t.Fatal(err)
	}
	for fields, newest := range map[string]bool{"": true, `,"engines":{"node":"<98"}`: false} {
		t.Run(fields, func(t *testing.T) {
			t.Parallel()
			b := setup(t, builds.Options{Nodes: []string{newer}})
			result := b.mustBuild(app(t, `{"name":"a","dependencies":{"part":"file:part"},"scripts":{"build":"node --version > version.txt","start":"x"}`+fields+`}`,
				"part/package.json", `{"name":"part","version":"1.0.0","engines":{"node":"^97.0.0 || >=98.9"}}`))
			if got := b.read("version.txt"); strings.HasPrefix(got, "v98.") != newest || (result.Node == newer) != newest {
				t.Errorf("built with %s, and started with %s", got, result.Node)
			}
		})
	}
}
