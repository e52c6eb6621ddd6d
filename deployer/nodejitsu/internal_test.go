package nodejitsu

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/nodejitsu/webhooks/core/redact"
)

// A proxy can read the shared key, so that of the environment is not used.
func TestNoProxyByDefault(t *testing.T) {
	t.Parallel()
	proxy := func(c *Client) func(*http.Request) (*url.URL, error) {
		redacting, ok := c.http.Transport.(*redact.Transport)
		if !ok {
			t.Fatalf("requests are sent by %T", c.http.Transport)
		}
		transport, ok := redacting.Next.(*http.Transport)
		if !ok {
			t.Fatalf("requests are sent by %T", redacting.Next)
		}
		return transport.Proxy
	}
	if proxy(New(Options{})) != nil {
		t.Error("a proxy is used by default")
	}
	if proxy(New(Options{Proxy: http.ProxyFromEnvironment})) == nil {
		t.Error("the proxy of the options is not used")
	}
}
