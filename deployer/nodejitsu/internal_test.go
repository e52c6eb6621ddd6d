package nodejitsu

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/nodejitsu/webhooks/core/redact"
)

// A proxy would be told the shared key: the environment's is nobody's choice.
func TestNoProxyUnlessToldOne(t *testing.T) {
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
		t.Error("there is a proxy")
	}
	if proxy(New(Options{Proxy: http.ProxyFromEnvironment})) == nil {
		t.Error("the proxy that was asked for is not there")
	}
}
