package router

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// believe tells the app what a trusted proxy says of the client, in the place
// of what we see: the proxy itself. X-Forwarded-Host is not believed, as few
// proxies set it, and most pass on what a client made up.
func (r *Router) believe(in, out *http.Request) {
	peer, err := netip.ParseAddrPort(in.RemoteAddr)
	if err != nil || !r.trusted(peer.Addr()) {
		return
	}
	if client, ok := r.client(list(in, "X-Forwarded-For")); ok {
		out.Header.Set("X-Forwarded-For", client.String())
	}
	schemes := list(in, "X-Forwarded-Proto")
	if scheme := schemes[len(schemes)-1]; scheme == "http" || scheme == "https" {
		out.Header.Set("X-Forwarded-Proto", scheme)
	}
}

// client finds who sent a request in what proxies say, each of which has added
// whom it got the request from: the last one that is no proxy of ours. What
// stands before that may be made up.
func (r *Router) client(said []string) (client netip.Addr, ok bool) {
	for _, text := range slices.Backward(said) {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			break
		}
		if client, ok = ip, true; !r.trusted(ip) {
			break
		}
	}
	return client, ok
}

func (r *Router) trusted(ip netip.Addr) bool {
	return slices.ContainsFunc(r.o.Proxies, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) })
}

// list returns the members of a header that is a list; one that is missing is
// a list of "".
func list(r *http.Request, header string) []string {
	members := strings.Split(strings.Join(r.Header.Values(header), ","), ",")
	for i := range members {
		members[i] = strings.TrimSpace(members[i])
	}
	return members
}
