package serve_test

import (
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/httpapi/serve"
)

func TestValidHost(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"":                       false,
		"example.com":            true,
		"example.com:8080":       true,
		"[::1]:8080":             true,
		"example.com/":           false,
		`"><script>`:             false,
		"user@example.com":       false,
		"example.com\n":          false,
		strings.Repeat("a", 255): true,
		strings.Repeat("a", 256): false,
	} {
		if got := serve.ValidHost(host); got != want {
			t.Errorf("ValidHost(%q) = %t, want %t", host, got, want)
		}
	}
}
