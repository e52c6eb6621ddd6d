package browser

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/tools/githubsim/sim"
)

const travisYML = "language: node_js\nnotifications:\n  webhooks: http://example.com/1/deploy\n"

// The dashboard shows a deployment as it runs, one that is held and one that
// failed, and releases the held one, while its pages stay open.
func TestDashboard(t *testing.T) {
	t.Parallel()
	s := serve(t)
	b := open(t)

	// The build of one app waits until the test lets it go on.
	let := make(chan struct{})
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-let:
		case <-r.Context().Done():
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(func() {
		gate.CloseClientConnections()
		gate.Close()
	})
	wait := "node -e \\\"console.log('compiling 42 modules');require('node:http').get('" + gate.URL + "',r=>r.resume())\\\""

	b.run(chromedp.Navigate(s.url))
	b.await("Sign in")
	b.check("sign-in")
	b.signIn()
	b.await("No apps yet")
	b.check("empty")

	hello := s.repository("hello-world-api")
	hello.push("Say hello", map[string]string{"package.json": packageJSON("hello-world-api", "node -e 0"), "index.js": node("hello")})
	b.await("Running", "Say hello")

	hello.push("Greet in three languages", map[string]string{"index.js": "throw new Error('no such language: elvish')"})
	b.await("Failed", "Greet in three languages")

	hello.git("checkout", "--quiet", "-b", "experiment")
	hello.push("Try a new router", nil)

	tested := s.repository("tested-api")
	tested.push("Count visitors", map[string]string{
		"package.json": packageJSON("tested-api", "node -e 0"), "index.js": node("tested"), ".travis.yml": travisYML,
	})
	b.await("Held", "Count visitors")

	slow := s.repository("handbook")
	slow.push("Explain snapshots", map[string]string{"package.json": packageJSON("handbook", wait), "index.js": node("handbook")})
	b.await("Deploying", "Upload and build…")
	b.check("home")

	b.click(`//section[@id="latest"]//a[contains(., "Greet in three languages")]`)
	b.await("Steps", "no such language: elvish", "Failed to start nodejitsu application", "Payload")
	b.click(`//*[@id="payload"]/summary`)
	b.await(`"full_name": "dscape/hello-world-api"`)
	b.click(`//*[@id="headers"]/summary`)
	b.await("X-Github-Event: push")
	b.click(`//*[@id="payload"]/summary`)
	b.check("entry-failed")

	b.run(chromedp.Navigate(s.url + "/-/history?status=ignored"))
	b.await("Ignored", "Try a new router", "experiment")
	b.run(chromedp.Navigate(s.url + "/-/history"))
	b.await("Say hello", "Ignored")
	b.check("history")

	b.run(chromedp.Navigate(s.url + "/-/held"))
	b.await("Count visitors", "Waits for", "Until")
	b.check("held")
	b.click(`//button[contains(., "Deploy without waiting")]`)
	b.await("Count visitors", "Deployed", "Address")
	b.check("entry-ok")

	// An app's page.
	b.run(chromedp.Navigate(s.url + "/-/apps/hello-world-api"))
	b.await("Running", "1.0.0-", "Runs", "Badge", "hello-world-api.svg")
	b.run(chromedp.SetValue(`input[name=name]`, "API_TOKEN"), chromedp.SetValue(`input[name=value]`, "tr0ub4dor"), chromedp.Submit(`input[name=value]`))
	b.await("The environment was changed", "API_TOKEN hidden")
	b.run(chromedp.SetValue(`input[name=domain]`, "Hello.Example.com."), chromedp.Submit(`input[name=domain]`))
	b.await("The domains were changed", "hello.example.com")
	b.check("app")
	if html := evaluate[string](b, `document.documentElement.outerHTML`); strings.Contains(html, "tr0ub4dor") {
		t.Error("the page has the value of a secret")
	}
	b.click(`//button[contains(., "Restart")]`)
	b.await("The app was restarted")
	b.click(`//a[contains(., "Log")]`)
	b.await("listening on")
	b.check("log")
	if got := s.get("http://hello-world-api.localhost/"); got != "hello" {
		t.Errorf("the app answers %q", got)
	}
	b.await("GET /") // it follows

	// Connecting a repository: what the page says to enter deploys.
	b.run(chromedp.Navigate(s.url + "/-/connect"))
	b.await("Make a secret", "GitHub")
	b.check("connect")
	b.run(chromedp.SetValue(`main input[name=name]`, "blog"), chromedp.Submit(`main input[name=name]`))
	b.await("Payload URL", "The secret is not shown again")
	b.check("connected")
	blog := s.repositoryFor("blog", evaluate[string](b, `document.getElementById("hook-url").textContent`),
		sim.HookOptions{ContentType: "json", Secret: core.NewSecret(evaluate[string](b, `document.getElementById("hook-secret").textContent`))})
	b.run(chromedp.Navigate(s.url))
	blog.push("Write about hooks", map[string]string{"package.json": packageJSON("blog", "node -e 0"), "index.js": node("blog")})
	b.await("Write about hooks", "blog.localhost")

	// The account: a token that is shown once, and removed after a question.
	b.run(chromedp.Navigate(s.url + "/-/account"))
	b.await("API tokens", "blog")
	b.run(chromedp.SetValue(`main input[name=name]`, "robot"), chromedp.Submit(`main input[name=name]`))
	b.await("It is not shown again", "robot")
	b.check("account")
	b.click(`//button[@aria-label="Remove the token robot"]`)
	b.await("Remove the API token robot?")
	b.check("confirm")
	b.click(`//main//button[contains(., "Remove the token")]`)
	b.await("The API token was removed")

	// The page of the running deployment follows it to its end.
	b.run(chromedp.Navigate(s.url))
	b.click(`//section[@id="latest"]//a[contains(., "Explain snapshots")]`)
	b.await("Deploying", "Upload and build")
	b.check("entry-running")
	close(let)
	b.await("Deployed", "compiling 42 modules")

	// A delivery again, which deploys the same commit once more.
	b.click(`//button[contains(., "Redeliver")]`)
	b.await("Explain snapshots", "Deployed", "Redelivery of")
	b.run(chromedp.Navigate(s.url + "/-/history?app=handbook"))
	if rows := evaluate[int](b, `document.querySelectorAll(".rows li").length`); rows != 2 {
		t.Errorf("handbook has %d deliveries, want 2", rows)
	}
	tested.push("Count robots", nil)
	b.run(chromedp.Navigate(s.url + "/-/held"))
	b.await("Count robots")
	b.click(`//button[contains(., "Cancel")]`)
	b.await("Count robots", "Skipped")

	b.run(chromedp.Navigate(s.url))
	b.click(`//button[contains(., "Sign out")]`)
	b.await("User name")
}

// Without JavaScript everything can be done by the forms, and each page says how to
// see what has changed since.
func TestWithoutJavaScript(t *testing.T) {
	t.Parallel()
	s := serve(t)
	b := open(t)
	b.run(func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return chromedp.Void{}, err
	})
	see := func(name string, parts ...string) {
		t.Helper()
		b.await(parts...)
		for _, l := range allLooks() {
			if l.scheme == "light" {
				b.look(l)
				b.screenshot("plain-" + name + "-" + l.name)
			}
		}
	}
	// again loads the page again until it has all parts.
	again := func(parts ...string) {
		t.Helper()
		for b.run(chromedp.Reload()); !hasAll(b.text(), parts); b.run(chromedp.Reload()) {
			if t.Context().Err() != nil {
				t.Fatal("the test has ended")
			}
		}
	}

	b.run(chromedp.Navigate(s.url))
	see("sign-in", "Sign in")
	b.signIn()
	see("empty", "No apps yet")

	b.click(`//a[contains(., "Connect a repository")]`)
	see("connect", "Make a secret")
	b.run(chromedp.SetValue(`main input[name=name]`, "hello"), chromedp.Submit(`main input[name=name]`))
	see("connected", "Payload URL", "The secret is not shown again")
	hello := s.repositoryFor("hello", evaluate[string](b, `document.getElementById("hook-url").textContent`),
		sim.HookOptions{ContentType: "json", Secret: core.NewSecret(evaluate[string](b, `document.getElementById("hook-secret").textContent`))})
	b.run(chromedp.Navigate(s.url + "/-/history"))
	see("history", "ping", "Received")

	hello.push("Say hello", map[string]string{"package.json": packageJSON("hello", "node -e 0"), "index.js": node("hello")})
	b.run(chromedp.Navigate(s.url))
	again("Running", "Say hello")
	if strings.Contains(b.text(), "What runs was not deployed") {
		t.Error("the page does not know what deployed the app while its deployment ends")
	}
	see("home", "hello.localhost")
	hello.push("Say hello again", map[string]string{"index.js": node("hello again")})
	again("Say hello again")
	b.click(`//section[@id="latest"]//a[contains(., "Say hello again")]`)
	b.await("Steps")
	again("Deployed")
	see("entry", "Build output")

	hello.push("Break it", map[string]string{"index.js": "throw new Error('no such language: elvish')"})
	b.run(chromedp.Navigate(s.url))
	again("Failed", "Break it")
	see("failed", "Failed")
	b.click(`//section[@id="latest"]//a[contains(., "Break it")]`)
	see("entry-failed", "no such language: elvish")
	b.click(`//*[@id="payload"]/summary`)
	b.await(`"full_name": "dscape/hello"`)

	b.click(`//main//a[text()="hello"]`)
	see("app", "Snapshots", "Runs")
	if text := evaluate[string](b, `document.querySelector("#versions li").innerText`); !strings.Contains(text, "Failed") || !strings.Contains(text, "Break it") {
		t.Errorf("the newest snapshot is shown as %q", text)
	}
	b.click(`//section[@id="versions"]//li[.//a[text()="Say hello"]]//button[contains(., "Run this snapshot")]`)
	b.await("The app runs the snapshot that you chose")
	again("dscape rolled back from snapshot") // its entry may be written just after the page
	see("rolled-back", "dscape rolled back from snapshot")
	if got := s.get("http://hello.localhost/"); got != "hello" {
		t.Errorf("after the rollback the app answers %q", got)
	}
	b.run(chromedp.SetValue(`input[name=name]`, "API_TOKEN"), chromedp.SetValue(`input[name=value]`, "tr0ub4dor"), chromedp.Submit(`input[name=value]`))
	see("environment", "The environment was changed", "API_TOKEN hidden")
	b.click(`//button[@aria-label="Remove API_TOKEN"]`)
	see("question", "Remove the variable API_TOKEN of hello?")
	b.click(`//button[contains(., "Remove the variable")]`)
	b.await("The environment was changed")
	b.click(`//button[contains(., "Restart")]`)
	b.await("The app was restarted")
	b.click(`//a[contains(., "Log")]`)
	see("log", "listening on", "Load it again")
	if strings.Contains(b.text(), "Follow") {
		t.Error("the log offers to follow it, which needs JavaScript")
	}

	b.run(chromedp.Navigate(s.url + "/-/account"))
	see("account", "API tokens")
	b.run(chromedp.Navigate(s.url + "/-/held"))
	see("held", "Nothing waits")
}

// hasAll reports whether text has all parts.
func hasAll(text string, parts []string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}
