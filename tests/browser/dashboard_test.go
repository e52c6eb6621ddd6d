package browser

import (
	"context"
	"net/http"
	"net/http/httptest"
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

// Without JavaScript the pages show the same.
func TestWithoutJavaScript(t *testing.T) {
	t.Parallel()
	s := serve(t)
	hello := s.repository("hello-world-api")
	b := open(t)
	b.run(chromedp.Navigate(s.url))
	b.signIn()
	hello.push("Say hello", map[string]string{"package.json": packageJSON("hello-world-api", "node -e 0"), "index.js": node("hello")})
	b.await("Running", "Say hello") // with JavaScript, as it is deployed by then
	b.run(func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return chromedp.Void{}, err
	})
	for path, want := range map[string]string{"": "Say hello", "/-/history": "ping", "/-/held": "Nothing waits."} {
		b.run(chromedp.Navigate(s.url + path))
		if text := b.text(); !strings.Contains(text, want) {
			t.Errorf("%s has no %q:\n%s", path, want, text)
		}
	}
}
