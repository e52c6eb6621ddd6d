package peercred

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"
)

// The messages of sock_diag(7), from linux/inet_diag.h and linux/sock_diag.h.
const (
	sockDiagByFamily = 20
	tcpListen        = 10 // TCP_LISTEN of netinet/tcp.h
	tcpTimeWait      = 6  // TCP_TIME_WAIT

	headerSize  = syscall.NLMSG_HDRLEN // struct nlmsghdr
	requestSize = headerSize + 56      // struct inet_diag_req_v2
	answerSize  = 72                   // struct inet_diag_msg

	// An answer comes at once; this only bounds the wait if it never does.
	answerTimeout = 2 * time.Second
)

// Owner returns the socket of this machine that is bound to local and connected
// to remote. It fails with [ErrNotFound] if there is none, or if it is closed
// and the kernel only keeps it to end the connection.
func Owner(local, remote netip.AddrPort) (Socket, error) {
	found, err := ask(query{local: local, remote: remote})
	if err == nil {
		return first(found)
	}
	if !errors.Is(err, ErrNotFound) {
		return Socket{}, err
	}
	if !local.Addr().IsLoopback() && !remote.Addr().IsLoopback() {
		return Socket{}, err // most likely one of another machine
	}
	// The firewall may have redirected the connection, so that the socket was
	// connected to another address. Then its own address has to do. This costs
	// the kernel a walk through its table, and is rare.
	found, err = ask(query{local: local, dump: true, states: ^uint32(1<<tcpListen | 1<<tcpTimeWait)})
	if err != nil {
		return Socket{}, err
	}
	return first(found)
}

// Listeners returns the sockets that listen on a TCP port, on whatever address.
func Listeners(port uint16) ([]Socket, error) {
	var sockets []Socket
	for _, any := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		found, err := ask(query{local: netip.AddrPortFrom(any, port), dump: true, states: 1 << tcpListen})
		if err != nil {
			return nil, err
		}
		for _, s := range found {
			sockets = append(sockets, s.Socket)
		}
	}
	return sockets, nil
}

// first returns the first socket that a process has.
func first(found []diagnosed) (Socket, error) {
	for _, s := range found {
		if s.Inode != 0 {
			return s.Socket, nil
		}
	}
	return Socket{}, ErrNotFound
}

// query is a question to the kernel.
type query struct {
	local, remote netip.AddrPort
	dump          bool   // all with the port of local, instead of the one that has both addresses
	states        uint32 // of a dump: which states, a bit each
}

// diagnosed is a socket as the kernel describes it.
type diagnosed struct {
	Socket
	local netip.AddrPort
	state byte
}

// ask sends one question and reads the answer.
func ask(q query) ([]diagnosed, error) {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_INET_DIAG)
	if err != nil {
		return nil, fmt.Errorf("peercred: opening a netlink socket: %w", err)
	}
	defer syscall.Close(fd) //nolint:errcheck // nothing is lost
	timeout := syscall.NsecToTimeval(int64(answerTimeout))
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &timeout); err != nil {
		return nil, fmt.Errorf("peercred: %w", err)
	}
	if err := syscall.Sendto(fd, q.encode(), 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("peercred: asking the kernel: %w", err)
	}
	var found []diagnosed
	buffer := make([]byte, q.room())
	for {
		n, _, err := syscall.Recvfrom(fd, buffer, 0)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("peercred: the kernel's answer: %w", err)
		}
		messages, err := syscall.ParseNetlinkMessage(buffer[:n])
		if err != nil {
			return nil, fmt.Errorf("peercred: the kernel's answer: %w", err)
		}
		for _, m := range messages {
			switch m.Header.Type {
			case syscall.NLMSG_DONE:
				return found, nil
			case syscall.NLMSG_ERROR:
				return found, failure(m.Data)
			case sockDiagByFamily:
				s, ok := decode(m.Data, q.family())
				if ok && q.wants(s) {
					found = append(found, s)
				}
				if !q.dump {
					return found, nil
				}
			}
		}
	}
}

// room returns how many bytes a message of the answer has at most.
func (q query) room() int {
	if q.dump {
		return 32 << 10
	}
	return 4 << 10
}

func (q query) family() byte {
	if q.local.Addr().Is4() {
		return syscall.AF_INET
	}
	return syscall.AF_INET6
}

// wants reports whether a socket is one that was asked for. The kernel answers
// with one that listens on the port if no connected one has both addresses.
func (q query) wants(s diagnosed) bool {
	if q.dump {
		return q.local.Addr().IsUnspecified() || s.local.Addr() == q.local.Addr()
	}
	return s.state != tcpListen
}

// encode returns a struct nlmsghdr and a struct inet_diag_req_v2. Its lengths
// and numbers have the machine's byte order, addresses and ports the network's.
func (q query) encode() []byte {
	flags := uint16(syscall.NLM_F_REQUEST)
	states := ^uint32(0)
	if q.dump {
		flags |= syscall.NLM_F_DUMP
		states = q.states
	}
	b := make([]byte, 0, requestSize)
	b = binary.NativeEndian.AppendUint32(b, requestSize)
	b = binary.NativeEndian.AppendUint16(b, sockDiagByFamily)
	b = binary.NativeEndian.AppendUint16(b, flags)
	b = binary.NativeEndian.AppendUint32(b, 1) // sequence number
	b = binary.NativeEndian.AppendUint32(b, 0) // sender: the kernel fills it in

	b = append(b, q.family(), syscall.IPPROTO_TCP, 0, 0)
	b = binary.NativeEndian.AppendUint32(b, states)
	b = binary.BigEndian.AppendUint16(b, q.local.Port())
	b = binary.BigEndian.AppendUint16(b, q.remote.Port())
	b = appendAddr(b, q.local.Addr())
	b = appendAddr(b, q.remote.Addr())
	b = binary.NativeEndian.AppendUint32(b, 0)          // whatever interface
	b = binary.NativeEndian.AppendUint64(b, ^uint64(0)) // INET_DIAG_NOCOOKIE
	return b
}

// appendAddr appends the 16 bytes of an address, of which IPv4 uses the first four.
func appendAddr(b []byte, a netip.Addr) []byte {
	var field [16]byte
	copy(field[:], a.AsSlice())
	return append(b, field[:]...)
}

// decode reads a struct inet_diag_msg.
func decode(b []byte, family byte) (diagnosed, bool) {
	if len(b) < answerSize {
		return diagnosed{}, false
	}
	length := 16
	if family == syscall.AF_INET {
		length = 4
	}
	addr, _ := netip.AddrFromSlice(b[8 : 8+length])
	return diagnosed{
		Socket: Socket{UID: binary.NativeEndian.Uint32(b[64:]), Inode: binary.NativeEndian.Uint32(b[68:])},
		local:  netip.AddrPortFrom(addr.Unmap(), binary.BigEndian.Uint16(b[4:])),
		state:  b[1],
	}, true
}

// failure reads a struct nlmsgerr.
func failure(b []byte) error {
	if len(b) < 4 {
		return errors.New("peercred: the kernel's answer is too short")
	}
	number := -int32(binary.NativeEndian.Uint32(b)) //nolint:gosec // it is a negative number
	switch errno := syscall.Errno(number); errno {  //nolint:gosec // see above
	case 0:
		return nil
	case syscall.ENOENT:
		return ErrNotFound
	default:
		return fmt.Errorf("peercred: asking the kernel: %w", errno)
	}
}
