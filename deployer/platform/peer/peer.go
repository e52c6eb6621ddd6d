package peer

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
)

// end is the other end of a connection.
type end struct {
	local bool   // on this machine
	gone  bool   // nobody has it any more
	uid   uint32 // who has it, where it is local and not gone
}

type key struct{}

// Context returns the context of the requests of a connection, which remembers
// who is there. It is what http.Server has as ConnContext.
func Context(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, key{}, sync.OnceValue(func() end { return find(c) }))
}

// Is tells whether a request with that context comes from a process of this
// machine whose user is one of those. Of one that has closed its end nobody can
// tell, and it waits for no answer: it counts as one of them.
func Is(ctx context.Context, those func(uid uint32) bool) bool {
	other, ok := ctx.Value(key{}).(func() end)
	if !ok {
		return false
	}
	e := other()
	return e.local && (e.gone || those(e.uid))
}

// find looks for the other end. Where the kernel doesn't tell, it is as one of
// another machine.
func find(c net.Conn) end {
	here, there := address(c.LocalAddr()), address(c.RemoteAddr())
	if !there.IsValid() || !local(here.Addr(), there.Addr()) {
		return end{}
	}
	uid, err := owner(there, here)
	if errors.Is(err, errGone) {
		return end{local: true, gone: true}
	}
	return end{local: err == nil, uid: uid}
}

// address returns a TCP address; an invalid one for others.
func address(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	at := tcp.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
}

// local tells whether an address is one of this machine's. here is one that is.
func local(here, there netip.Addr) bool {
	if there.IsLoopback() || there == here {
		return true
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range all {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Unmap().WithZone("") == there {
			return true
		}
	}
	return false
}
