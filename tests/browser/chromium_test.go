package browser

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// browser is a tab of Chromium. Errors on its console fail the test, and so do
// violations of the Content-Security-Policy, which are reported there.
type browser struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp keeps its tab in it

	mu     sync.Mutex
	errors []string
}

// open starts Chromium.
func open(t *testing.T) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], // a copy: its capacity is its length
		chromedp.NoSandbox, // the tests may run as root
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.WSURLReadTimeout(patience),
	)
	allocator, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	ctx, end := chromedp.NewContext(allocator)
	b := &browser{t: t, ctx: ctx}
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // ends the browser and waits for it
		end()
		cancel()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, text := range b.errors {
			t.Errorf("the console: %s", text)
		}
	})
	b.run() // starts the browser
	messages := chromedp.Console(ctx)
	go func() { // ends with the browser
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.IsException() || m.Type == chromedp.ConsoleError {
				b.mu.Lock()
				b.errors = append(b.errors, m.String()+" "+m.URL)
				b.mu.Unlock()
			}
		}
	}()
	return b
}

// run runs actions in the tab.
func (b *browser) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := b.ctx, context.CancelFunc(func() {})
	if len(actions) > 0 { // the first run starts the browser, which ends with its context
		ctx, cancel = context.WithTimeout(b.ctx, patience)
	}
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%v\nthe page:\n%s", err, b.text())
	}
}

// evaluate returns the value of an expression in the page, or of its promise.
func evaluate[T any](b *browser, expression string) (value T) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%v: %.200s", err, expression)
	}
	return value
}

// click clicks the element that an XPath selects. It is found and clicked in one step,
// as the page may replace it at any time.
func (b *browser) click(xpath string) {
	b.t.Helper()
	quoted, err := json.Marshal(xpath)
	if err != nil {
		b.t.Fatal(err)
	}
	if !evaluate[bool](b, `(() => {
		const found = document.evaluate(`+string(quoted)+`, document, null, XPathResult.FIRST_ORDERED_NODE_TYPE).singleNodeValue;
		found?.click();
		return Boolean(found);
	})()`) {
		b.t.Fatalf("the page has no %s:\n%s", xpath, b.text())
	}
}

// text returns the text of the page.
func (b *browser) text() string {
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body?.innerText ?? ""`))
	if err != nil {
		return err.Error() // a page that is being replaced
	}
	return text
}

// await waits until the text of the page has all parts. It does not load the page.
func (b *browser) await(parts ...string) {
	b.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		text := b.text()
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) }) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			b.t.Fatalf("the page has not %q within %s:\n%s", parts, patience, text)
		}
	}
}

// looks is a size of the window and a colour scheme.
type looks struct {
	name   string
	width  int64
	height int64
	scheme string
}

func allLooks() []looks {
	return []looks{
		{"desktop-light", 1280, 860, "light"},
		{"desktop-dark", 1280, 860, "dark"},
		{"phone-light", 390, 844, "light"},
		{"phone-dark", 390, 844, "dark"},
	}
}

// look sets the size and the colours.
func (b *browser) look(l looks) {
	b.t.Helper()
	b.run(chromedp.EmulateViewport(l.width, l.height), func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: l.scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return chromedp.Void{}, err
	})
}

// check checks the page in all looks: axe finds nothing, nothing is wider than the
// window. If the environment
// names a folder for screenshots, it writes them there.
func (b *browser) check(name string) {
	b.t.Helper()
	evaluate[chromedp.Void](b, axe(b.t)+";undefined")
	for _, l := range allLooks() {
		b.look(l)
		found := evaluate[string](b, `axe.run(document).then(({violations}) => violations.map((v) =>
			v.id + ": " + v.help + "\n" + v.nodes.map((n) => "  " + n.html + "\n  " + n.failureSummary).join("\n")).join("\n"))`)
		if found != "" {
			b.t.Errorf("%s, %s: axe finds\n%s", name, l.name, found)
		}
		wider := evaluate[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
		if wider > 0 {
			b.t.Errorf("%s, %s: the page is %d pixels wider than the window", name, l.name, wider)
		}
		b.screenshot(name + "-" + l.name)
	}
}

// screenshotsVariable names the variable of the environment with a folder.
const screenshotsVariable = "WEBHOOKS_SCREENSHOTS"

func (b *browser) screenshot(name string) {
	b.t.Helper()
	dir := os.Getenv(screenshotsVariable)
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	path := filepath.Join(dir, name+".png")
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, png, 0o600)); err != nil {
		b.t.Error(err)
	}
}

// signIn signs in at the page for that, which must be open.
func (b *browser) signIn() {
	b.t.Helper()
	b.run(
		chromedp.SetValue(`input[name=user]`, user),
		chromedp.SetValue(`input[name=password]`, password),
		chromedp.Submit(`main form`),
		chromedp.WaitVisible(`header .user`),
	)
}

const axeVersion = "4.14.1"

// axe returns the source of axe-core, which finds what keeps people with
// disabilities from using a page. It is installed once, for all runs.
var axe = func() func(t *testing.T) string { //nolint:gochecknoglobals // installed once
	install := sync.OnceValues(func() (string, error) {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		dir := filepath.Join(cache, "webhooks", "axe-core-"+axeVersion)
		path := filepath.Join(dir, "node_modules", "axe-core", "axe.min.js")
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			cmd := exec.Command("npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir, "axe-core@"+axeVersion) //nolint:noctx // it ends by itself
			if out, err := cmd.CombinedOutput(); err != nil {
				return "", errors.Join(err, errors.New(strings.TrimSpace(string(out))))
			}
		}
		text, err := os.ReadFile(path)
		return string(text), err
	})
	return func(t *testing.T) string {
		t.Helper()
		text, err := install()
		if err != nil {
			t.Fatalf("installing axe-core: %v", err)
		}
		return text
	}
}()
