package api

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// Who calls is who connected, unless that is a trusted proxy: then it is who
// the proxy names, which is the last one, wherever headers were added.
func FuzzCaller(f *testing.F) {
	for _, seed := range []string{"", "192.0.2.1", "a, 192.0.2.1", "192.0.2.1,", " , ", "192.0.2.1\x00", "::1"} {
		f.Add(seed, "198.51.100.9")
		f.Add("198.51.100.9", seed)
	}
	a := &API{o: Options{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
	f.Fuzz(func(t *testing.T, first, second string) {
		caller := func(remote string) string {
			return a.caller(&http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {first, second}}})
		}
		for _, stranger := range []string{"203.0.113.5", "::1", "fe80::1"} {
			if got := caller("[" + stranger + "]:4711"); got != stranger {
				t.Fatalf("X-Forwarded-For %q, %q of a stranger makes it %q", first, second, got)
			}
		}
		want := strings.TrimSpace(second[strings.LastIndexByte(second, ',')+1:])
		if want == "" {
			want = "10.1.2.3"
		}
		if got := caller("10.1.2.3:4711"); got != want {
			t.Fatalf("X-Forwarded-For %q, %q of a proxy makes it %q, want %q", first, second, got, want)
		}
	})
}
