package github

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// guard makes connections: to hosts that the operator named wherever they are,
// to others only where everybody could. Whoever answers for another host's name
// would otherwise choose whom, within the operator's network, we talk to.
type guard struct {
	named map[string]bool // host:port
	free  net.Dialer
	wary  net.Dialer
}

func newGuard(named map[string]bool) *guard {
	return &guard{
		named: named,
		free:  net.Dialer{Timeout: headerTimeout},
		wary:  net.Dialer{Timeout: headerTimeout, Control: refusePrivate},
	}
}

// DialContext connects to addr, host:port.
func (g *guard) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if g.named[strings.ToLower(addr)] {
		return g.free.DialContext(ctx, network, addr)
	}
	return g.wary.DialContext(ctx, network, addr)
}

// refusePrivate is the Control of a net.Dialer. It sees each address once its
// name is resolved, and before anything is sent there.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("the address %q is none: %w", address, errRefused)
	}
	if !public(to.Addr()) {
		return fmt.Errorf("the address is not a public one; name the host to allow it: %w", errRefused)
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
