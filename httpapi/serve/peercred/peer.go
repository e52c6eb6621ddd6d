package peercred

import (
	"errors"
	"net"
	"net/netip"
	"sync"
)

// ErrNotFound is returned if the kernel has no such socket, or no process has it any more.
var ErrNotFound = errors.New("peercred: no such socket")

// A Socket is a TCP socket of this machine.
type Socket struct {
	UID   uint32 // the user who owns it
	Inode uint32 // as in the links of /proc/PID/fd
}

// A Peer is the other end of a connection. It may be used concurrently.
type Peer struct {
	local, remote netip.AddrPort
	find          func() peer
}

// peer is what was found out about the other end.
type peer struct {
	here bool   // it is on this machine
	gone bool   // it is closed, so that its user can't be found out any more
	uid  uint32 // if it is here and not gone
	err  error  // the kernel did not answer
}

// New returns the other end of c. It asks the kernel nothing yet: that is done
// once, when it is first needed.
func New(c net.Conn) *Peer {
	p := &Peer{local: addrPort(c.LocalAddr()), remote: addrPort(c.RemoteAddr())}
	p.find = sync.OnceValue(func() peer { return find(Owner, p.local, p.remote) })
	return p
}

// Addr returns the address of the other end; the zero AddrPort if it is not TCP.
func (p *Peer) Addr() netip.AddrPort { return p.remote }

// Is reports whether the other end belongs to a user of this machine for whom
// match returns true. If the other end is closed already, its user can't be
// found out, and it reads no answer: then Is reports true. The result is false
// if the kernel does not answer; see [Peer.Err].
func (p *Peer) Is(match func(uid uint32) bool) bool {
	other := p.find()
	return other.here && (other.gone || match(other.uid))
}

// Err returns why the kernel could not be asked, nil if it could.
func (p *Peer) Err() error { return p.find().err }

// find looks for the socket that is bound to remote and connected to local.
//
// A connection from or to a loopback address certainly is one of this machine.
// Others may be too: a program may bind to any address of the machine. Then
// there is a socket for the other end, and else there is not.
func find(owner func(local, remote netip.AddrPort) (Socket, error), local, remote netip.AddrPort) peer {
	if !remote.IsValid() {
		return peer{}
	}
	s, err := owner(remote, local)
	switch {
	case err == nil:
		return peer{here: true, uid: s.UID}
	case !errors.Is(err, ErrNotFound):
		return peer{err: err}
	case remote.Addr().IsLoopback() || local.Addr().IsLoopback() || remote.Addr() == local.Addr():
		return peer{here: true, gone: true}
	default:
		return peer{}
	}
}

// addrPort returns a TCP address, an invalid one for anything else.
func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	at := tcp.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
}
