// Package guard makes connections for adapters and prevents server-side request
// forgery: hosts that the operator named may have any address, all others must have
// a public one.
package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// ErrRefused is wrapped by errors that a retry can not help.
var ErrRefused = errors.New("refused")

// dialTimeout limits connecting, and the TLS handshake.
const dialTimeout = 15 * time.Second

// Guard makes connections. Without it, the DNS server of a host that the operator
// did not name could direct requests to any address in the operator's network. It
// may be used concurrently.
type Guard struct {
	// Resolver looks up names; nil is the system's.
	Resolver *net.Resolver

	named map[string]bool
}

// New returns a Guard. named are the hosts that the operator named, as host:port
// in lower case.
func New(named map[string]bool) *Guard { return &Guard{named: named} }

// ForURL returns a Guard for a URL that the operator configured. Its host is named
// if it is an address or localhost. Any other name is resolved by DNS, so it must
// also be in private.
func ForURL(u *url.URL, private []string) *Guard {
	host := strings.ToLower(u.Hostname())
	_, err := netip.ParseAddr(host)
	named := err == nil || host == "localhost" ||
		slices.ContainsFunc(private, func(name string) bool { return strings.EqualFold(name, host) })
	return New(map[string]bool{HostPort(u): named})
}

// HostPort returns a URL's host and port, explicit or by default, in lower case.
func HostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// Names reports whether the operator named addr, host:port.
func (g *Guard) Names(addr string) bool { return g.named[strings.ToLower(addr)] }

// Transport returns a transport for HTTP requests. It uses no proxy: the address
// behind one could not be checked.
func (g *Guard) Transport() *http.Transport {
	return &http.Transport{
		DialContext:         g.DialContext,
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: dialTimeout,
		IdleConnTimeout:     time.Minute,
	}
}

// DialContext connects to addr, host:port.
func (g *Guard) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout, Resolver: g.Resolver}
	if !g.Names(addr) {
		dialer.Control = refusePrivate
	}
	return dialer.DialContext(ctx, network, addr)
}

// refusePrivate is the Control of a net.Dialer. It sees each address once its
// name is resolved, and before anything is sent there.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("invalid address %q: %w", address, ErrRefused)
	}
	if !public(to.Addr()) {
		return fmt.Errorf("the address is not public; if that is meant, add the host to --private-hosts: %w", ErrRefused)
	}
	return nil
}

// public reports whether an address is globally reachable by the IANA's registries
// of special-purpose addresses (RFC 6890).
func public(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if a.Is6() {
		b := a.As16()
		switch {
		case within(a, "64:ff9b::/96"): // NAT64: the embedded address decides
			return public(netip.AddrFrom4([4]byte(b[12:])))
		case within(a, "2002::/16"): // 6to4, likewise
			return public(netip.AddrFrom4([4]byte(b[2:6])))
		}
		// Addresses outside of 2000::/3 are not assigned.
		return within(a, "2000::/3") && !within(a, "2001::/23", "2001:db8::/32", "3fff::/20")
	}
	return a.IsGlobalUnicast() && !a.IsPrivate() &&
		!within(a, "0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
			"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4")
}

func within(a netip.Addr, prefixes ...string) bool {
	for _, prefix := range prefixes {
		if netip.MustParsePrefix(prefix).Contains(a) {
			return true
		}
	}
	return false
}
