// Package guard makes connections for adapters that send what others could
// turn elsewhere: to hosts that the operator named wherever they are, to others
// only where everybody could.
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

// ErrRefused is what an error is that no second try helps.
var ErrRefused = errors.New("refused")

// dialTimeout is how long making a connection, or agreeing on TLS, may take.
const dialTimeout = 15 * time.Second

// Guard makes connections. Whoever answers for the name of a host that the
// operator did not name would otherwise choose whom, within the operator's
// network, we talk to. It may be used concurrently.
type Guard struct {
	// Resolver looks up names; nil is the system's.
	Resolver *net.Resolver

	named map[string]bool
}

// New returns a Guard for which the operator named these, as host:port in
// lower case.
func New(named map[string]bool) *Guard { return &Guard{named: named} }

// ForURL returns a Guard for a URL of the operator's. Its host counts as named
// where the URL says itself where it leads to: an address, or localhost. Of
// any other name, others decide what it means, so that it must stand in
// private, too.
func ForURL(u *url.URL, private []string) *Guard {
	host := strings.ToLower(u.Hostname())
	_, err := netip.ParseAddr(host)
	named := err == nil || host == "localhost" ||
		slices.ContainsFunc(private, func(name string) bool { return strings.EqualFold(name, host) })
	return New(map[string]bool{HostPort(u): named})
}

// HostPort returns a URL's host with the port that it means, in lower case.
func HostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// Names tells whether the operator named addr, host:port.
func (g *Guard) Names(addr string) bool { return g.named[strings.ToLower(addr)] }

// Transport returns what HTTP requests are sent by. It has no proxy: what is
// behind one could not be looked at.
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
		return fmt.Errorf("the address %q is none: %w", address, ErrRefused)
	}
	if !public(to.Addr()) {
		return fmt.Errorf("the address is not a public one; name the host to allow it: %w", ErrRefused)
	}
	return nil
}

// public tells whether an address is one that everybody reaches: what the
// IANA's registries of special-purpose addresses (RFC 6890) call global.
func public(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if a.Is6() {
		b := a.As16()
		switch {
		case within(a, "64:ff9b::/96"): // NAT64: the address behind it counts
			return public(netip.AddrFrom4([4]byte(b[12:])))
		case within(a, "2002::/16"): // 6to4, likewise
			return public(netip.AddrFrom4([4]byte(b[2:6])))
		}
		// Nothing outside of 2000::/3 is assigned to anybody.
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
