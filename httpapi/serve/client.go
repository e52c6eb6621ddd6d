package serve

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the addresses of proxies whose X-Forwarded-For and
// X-Forwarded-Proto are believed.
type Proxies []netip.Prefix

// ParseProxies reads addresses and prefixes such as "192.0.2.1" and "10.0.0.0/8".
func ParseProxies(texts []string) (Proxies, error) {
	var all Proxies
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); addrErr == nil {
			addr = addr.Unmap()
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("invalid network %q: want an address or a network such as 10.0.0.0/8", text)
		}
		all = append(all, prefix.Masked())
	}
	return all, nil
}

// Contains reports whether an address is a proxy's.
func (p Proxies) Contains(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(p, func(prefix netip.Prefix) bool { return prefix.Contains(ip) })
}

// standsForMany reports whether an address is not one client's: a proxy's, or
// one of this machine, where apps have as many loopback addresses as they like.
func (p Proxies) standsForMany(ip netip.Addr) bool { return ip.IsLoopback() || p.Contains(ip) }

// A Client is who sent a request, as far as that is known.
type Client struct {
	Addr   netip.Addr // the zero Addr if it is unknown
	Secure bool       // it used TLS
}

// Client returns who sent a request: who is connected, or if that is a proxy of
// ours, whom that names. Each proxy appends to X-Forwarded-For whom it got the
// request from, so the last one that is not a proxy of ours counts; what is
// before that may be made up.
func (p Proxies) Client(r *http.Request) Client {
	c := Client{Addr: peerAddr(r), Secure: r.TLS != nil}
	if !c.Addr.IsValid() || !p.Contains(c.Addr) {
		return c
	}
	hops, schemes := r.Header["X-Forwarded-For"], r.Header["X-Forwarded-Proto"]
	if hops == nil && schemes == nil || Untrusted(r) {
		return c
	}
	for hop := range backward(hops) {
		ip, err := netip.ParseAddr(hop)
		if err != nil {
			break
		}
		if c.Addr = ip.Unmap().WithZone(""); !p.Contains(ip) {
			break
		}
	}
	for scheme := range backward(schemes) {
		// The proxy next to us comes last: it may have appended to a client's own.
		c.Secure = strings.EqualFold(scheme, "https")
		break
	}
	return c
}

// ThrottleAddr returns what counts as the client's address if it guesses
// credentials: that of [Proxies.Client], but one of their own for the programs
// that this machine runs for others. Otherwise those could make the people and
// the proxies here wait, whose address they have.
func (p Proxies) ThrottleAddr(r *http.Request) string {
	if Untrusted(r) {
		return "untrusted"
	}
	if addr := p.Client(r).Addr; addr.IsValid() {
		return addr.String()
	}
	return r.RemoteAddr
}

// Untrusted reports whether a request comes from a user of this machine who is
// not to be believed, see [Options]. It asks the kernel, once for a connection.
func Untrusted(r *http.Request) bool {
	c := connOf(r)
	if c == nil || c.s.o.Untrusted == nil {
		return false
	}
	untrusted := c.peer.Is(c.s.o.Untrusted)
	if err := c.peer.Err(); err != nil {
		c.s.unidentified.Add("error", err)
	}
	return untrusted
}

// peerAddr returns the address of who is connected.
func peerAddr(r *http.Request) netip.Addr {
	if c := connOf(r); c != nil {
		return c.peer.Addr().Addr()
	}
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}

// backward yields the members of a header that is a list, the last one first.
func backward(values []string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, value := range slices.Backward(values) {
			for value != "" {
				i := strings.LastIndexByte(value, ',')
				if !yield(strings.TrimSpace(value[i+1:])) {
					return
				}
				value = value[:max(i, 0)]
			}
		}
	}
}
