package browser

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/nodejitsu/webhooks/httpapi/docs"
)

// On each page of the documentation axe finds nothing, and nothing is wider than a phone.
func TestDocs(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(docs.New(func(*http.Request) bool { return false }))
	t.Cleanup(server.Close)
	b := open(t)
	b.run(chromedp.Navigate(server.URL + docs.Path))
	paths := evaluate[[]string](b, `[...document.querySelectorAll("nav a")].map((a) => a.getAttribute("href"))`)
	if len(paths) < 8 {
		t.Fatalf("the navigation has only %q", paths)
	}
	for _, path := range paths {
		b.run(chromedp.Navigate(server.URL + path))
		b.check("docs" + path)
	}
}
