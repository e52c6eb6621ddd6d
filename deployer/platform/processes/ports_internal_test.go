package processes

import (
	"errors"
	"net"
	"net/netip"
	"testing"
)

// A listener gets a port that no program has, as long as there is one, and no other drone
// gets that.
func TestPortsListen(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	number := int(netip.MustParseAddrPort(taken.Addr().String()).Port())
	p := ports{first: number, last: number, used: map[int]bool{}}
	if _, _, err := p.listen(t.Context()); !errors.Is(err, errNoPort) {
		t.Errorf("listening on a port that another program has: %v", err)
	}
	p.first, p.last = 61_000, 65_000 // which no other test uses
	l, got, err := p.listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if at := netip.MustParseAddrPort(l.Addr().String()); int(at.Port()) != got || !at.Addr().IsLoopback() {
		t.Errorf("it listens on %s, want port %d of the loopback interface", at, got)
	}
	p.first, p.last = got, got
	if _, err := p.acquire(t.Context()); !errors.Is(err, errNoPort) {
		t.Errorf("another drone gets the port: %v", err)
	}
}
