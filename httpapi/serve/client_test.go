package serve_test

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/httpapi/serve"
)

func TestParseProxies(t *testing.T) {
	t.Parallel()
	proxies, err := serve.ParseProxies([]string{"10.1.2.3/8", "::1", "192.168.0.1", "::ffff:192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	for ip, want := range map[string]bool{
		"10.255.0.1": true, "11.0.0.1": false, "::1": true, "::2": false, "192.168.0.1": true, "192.168.0.2": false,
		"::ffff:10.0.0.1": true, "192.0.2.1": true, "fe80::1%eth0": false,
	} {
		if got := proxies.Contains(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s is a proxy: %t, want %t", ip, got, want)
		}
	}
	for _, text := range []string{"everybody", "10.0.0.0/33", "", "1.2.3.4:80"} {
		if _, err := serve.ParseProxies([]string{text}); err == nil || !strings.Contains(err.Error(), "want") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestClient(t *testing.T) {
	t.Parallel()
	proxies, err := serve.ParseProxies([]string{"10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		remote string
		header http.Header
		want   serve.Client
	}{
		"direct":                    {"192.0.2.1:80", nil, client("192.0.2.1", false)},
		"IPv6":                      {"[2001:db8::1%eth0]:80", nil, client("2001:db8::1", false)},
		"mapped":                    {"[::ffff:192.0.2.1]:80", nil, client("192.0.2.1", false)},
		"not TCP":                   {"@", nil, serve.Client{}},
		"claims of a stranger":      {"192.0.2.1:80", http.Header{"X-Forwarded-For": {"192.0.2.7"}, "X-Forwarded-Proto": {"https"}}, client("192.0.2.1", false)},
		"a proxy that says nothing": {"10.0.0.1:80", nil, client("10.0.0.1", false)},
		"a proxy":                   {"10.0.0.1:80", http.Header{"X-Forwarded-For": {"192.0.2.7"}, "X-Forwarded-Proto": {"https"}}, client("192.0.2.7", true)},
		"a proxy that appends":      {"10.0.0.1:80", http.Header{"X-Forwarded-For": {"6.6.6.6, 192.0.2.7"}, "X-Forwarded-Proto": {"https, http"}}, client("192.0.2.7", false)},
		"a proxy that adds another": {"10.0.0.1:80", http.Header{"X-Forwarded-For": {"6.6.6.6", "192.0.2.7"}, "X-Forwarded-Proto": {"http", "HTTPS"}}, client("192.0.2.7", true)},
		"two proxies":               {"10.0.0.1:80", http.Header{"X-Forwarded-For": {"6.6.6.6, 192.0.2.7, 10.0.0.2"}}, client("192.0.2.7", false)},
		"proxies alone":             {"10.0.0.1:80", http.Header{"X-Forwarded-For": {"10.0.0.3, 10.0.0.2"}}, client("10.0.0.3", false)},
		"not an address":            {"10.0.0.1:80", http.Header{"X-Forwarded-For": {"192.0.2.7, unknown"}}, client("10.0.0.1", false)},
		"not an address before":     {"10.0.0.1:80", http.Header{"X-Forwarded-For": {"unknown, 10.0.0.2"}}, client("10.0.0.2", false)},
		"other headers":             {"10.0.0.1:80", http.Header{"X-Real-Ip": {"192.0.2.7"}, "Forwarded": {"for=192.0.2.7;proto=https"}}, client("10.0.0.1", false)},
	} {
		got := proxies.Client(&http.Request{RemoteAddr: c.remote, Header: c.header})
		if got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func client(addr string, secure bool) serve.Client {
	return serve.Client{Addr: netip.MustParseAddr(addr), Secure: secure}
}

// The client is who is connected, unless that is a trusted proxy: then it is
// the last address that is not one. Nothing else that a client sends counts.
func FuzzClient(f *testing.F) {
	for _, seed := range []string{
		"", "192.0.2.1", "192.0.2.1, 10.0.0.7", "evil, 192.0.2.1", "192.0.2.1, evil", "10.0.0.7", "::ffff:192.0.2.1", "2001:db8::1%eth0", "192.0.2.1:80", "192.0.2.1,", " , ", "192.0.2.1\x00",
	} {
		f.Add(seed, "198.51.100.9")
		f.Add("198.51.100.9", seed)
	}
	trusted := netip.MustParsePrefix("10.0.0.0/8")
	f.Fuzz(func(t *testing.T, first, second string) {
		look := func(remote string) string {
			return serve.Proxies{trusted}.Client(&http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {first, second}}}).Addr.String()
		}
		if got := look("203.0.113.5:4711"); got != "203.0.113.5" {
			t.Fatalf("X-Forwarded-For %q, %q of a stranger makes it %q", first, second, got)
		}
		want := netip.MustParseAddr("10.1.2.3")
		var hops []string
		for _, value := range []string{first, second} {
			if value != "" {
				hops = append(hops, strings.Split(value, ",")...)
			}
		}
		for _, hop := range slices.Backward(hops) {
			ip, err := netip.ParseAddr(strings.TrimSpace(hop))
			if err != nil {
				break
			}
			if want = ip.Unmap().WithZone(""); !trusted.Contains(want) {
				break
			}
		}
		if got := look("10.1.2.3:4711"); got != want.String() {
			t.Fatalf("X-Forwarded-For %q, %q of a proxy makes it %s, want %s", first, second, got, want)
		}
	})
}
