package builds_test

import (
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
