//go:build linux

package peercred_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/nodejitsu/webhooks/httpapi/serve/peercred"
)

func everybody(uint32) bool { return true }
func noUser(uint32) bool    { return false }

// myself matches the user who runs the test.
func myself(uid uint32) bool { return uid == uint32(os.Getuid()) } //nolint:gosec // a uid

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// connect returns both ends of a connection to l, from an address or any if it is "".
func connect(t *testing.T, l net.Listener, from, to string) (client, server net.Conn) {
	t.Helper()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	client, err = dialer.DialContext(t.Context(), "tcp", net.JoinHostPort(to, port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return client, server
}

// ownAddresses returns the machine's addresses that are not of one link alone.
func ownAddresses(t *testing.T) []string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	var addresses []string
	for _, a := range all {
		if ip, _, err := net.ParseCIDR(a.String()); err == nil && !ip.IsLinkLocalUnicast() {
			addresses = append(addresses, ip.String())
		}
	}
	return addresses
}

func TestIs(t *testing.T) {
	t.Parallel()
	l := listen(t, ":0") // IPv6, so that IPv4 addresses come mapped
	for _, to := range append(ownAddresses(t), "127.0.0.1", "127.0.0.7") {
		_, server := connect(t, l, "", to)
		p := peercred.New(server)
		if !p.Is(myself) || p.Is(noUser) || p.Err() != nil {
			t.Errorf("to %s: is me: %t, is no user: %t, error %v", to, p.Is(myself), p.Is(noUser), p.Err())
		}
	}
	// From whatever address of the machine, to whatever other one.
	for _, from := range append(ownAddresses(t), "127.0.0.9") {
		if net.ParseIP(from).To4() == nil {
			continue
		}
		_, server := connect(t, l, from, "127.0.0.1")
		if p := peercred.New(server); !p.Is(myself) || p.Is(noUser) {
			t.Errorf("from %s: is me: %t, is no user: %t", from, p.Is(myself), p.Is(noUser))
		}
	}
}

// The user is the one of the process that has the socket.
func TestIsAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		return // only root can run a process of another user
	}
	l := listen(t, "127.0.0.1:0")
	program := fmt.Sprintf(`exec 3<>/dev/tcp/127.0.0.1/%d; read -u 3 x`, l.Addr().(*net.TCPAddr).Port) //nolint:errcheck,forcetypeassert // it listens on TCP
	bash := exec.CommandContext(t.Context(), "bash", "-c", program)
	bash.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 61234, Gid: 61234}}
	if err := bash.Start(); err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if p := peercred.New(server); p.Is(myself) || !p.Is(func(uid uint32) bool { return uid == 61234 }) {
		t.Errorf("is me: %t, want user 61234", p.Is(myself))
	}
	_ = server.Close()
	_ = bash.Wait() // its read fails
}

// A peer that closed its end can't be identified. It must not be mistaken for another user.
func TestIsClosed(t *testing.T) {
	t.Parallel()
	for _, linger := range []int{-1, 0} { // by FIN, by RST
		client, server := connect(t, listen(t, "127.0.0.1:0"), "", "127.0.0.1")
		if err := client.(*net.TCPConn).SetLinger(linger); err != nil { //nolint:errcheck,forcetypeassert // it is TCP
			t.Fatal(err)
		}
		if err := client.Close(); err != nil {
			t.Fatal(err)
		}
		if p := peercred.New(server); !p.Is(noUser) || p.Err() != nil {
			t.Errorf("linger %d: a closed peer passes for another user, error %v", linger, p.Err())
		}
	}
}

// conn is a connection with other addresses.
type conn struct {
	net.Conn
	local, remote net.Addr
}

func (c conn) LocalAddr() net.Addr  { return c.local }
func (c conn) RemoteAddr() net.Addr { return c.remote }

func TestIsOfAnotherMachine(t *testing.T) {
	t.Parallel()
	here, there := net.IPv4(192, 0, 2, 1), net.IPv4(192, 0, 2, 2)
	for name, c := range map[string]conn{
		"another machine": {local: &net.TCPAddr{IP: here, Port: 80}, remote: &net.TCPAddr{IP: there, Port: 81}},
		"not TCP":         {local: &net.UnixAddr{Name: "x", Net: "unix"}, remote: &net.UnixAddr{Name: "y", Net: "unix"}},
	} {
		if p := peercred.New(c); p.Is(everybody) || p.Err() != nil {
			t.Errorf("%s is treated as a user of this machine, error %v", name, p.Err())
		}
	}
}

// What is asked is one question about one socket: it finds the owner among
// thousands of closed connections without reading the table of all of them.
func TestOwnerAmongMany(t *testing.T) {
	t.Parallel()
	l := listen(t, "127.0.0.1:0")
	for range 2000 { // each leaves a socket in the state TIME_WAIT behind
		client, server := connect(t, l, "", "127.0.0.1")
		_ = client.Close()
		_ = server.Close()
	}
	client, server := connect(t, l, "", "127.0.0.1")
	local, remote := netip.MustParseAddrPort(client.LocalAddr().String()), netip.MustParseAddrPort(client.RemoteAddr().String())
	s, err := peercred.Owner(local, remote)
	if err != nil || !myself(s.UID) || s.Inode != inode(t, client) {
		t.Errorf("got %+v, %v; want my socket %d", s, err, inode(t, client))
	}
	back, err := peercred.Owner(remote, local)
	if err != nil || back.Inode != inode(t, server) {
		t.Errorf("the server's end: got %+v, %v; want socket %d", back, err, inode(t, server))
	}
}

// inode returns the number of a connection's socket, as /proc/PID/fd has it.
func inode(t *testing.T, c net.Conn) uint32 {
	t.Helper()
	raw, err := c.(syscall.Conn).SyscallConn() //nolint:errcheck,forcetypeassert // it is TCP
	if err != nil {
		t.Fatal(err)
	}
	var number uint32
	if err := raw.Control(func(fd uintptr) {
		target, err := os.Readlink(filepath.Join("/proc/self/fd", fmt.Sprint(fd)))
		if _, scanErr := fmt.Sscanf(target, "socket:[%d]", &number); err != nil || scanErr != nil {
			t.Error(err, scanErr)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return number
}

func TestOwnerNotFound(t *testing.T) {
	t.Parallel()
	l := listen(t, "127.0.0.1:0")
	addr := netip.MustParseAddrPort(l.Addr().String())
	// The kernel knows a listener at that address, but no connection.
	s, err := peercred.Owner(addr, netip.MustParseAddrPort("127.0.0.1:1"))
	if !errors.Is(err, peercred.ErrNotFound) {
		t.Errorf("got %+v, %v, want ErrNotFound", s, err)
	}
}

// A connection that the firewall redirects to another port is connected to an
// address that the server does not know.
func TestOwnerOfRedirected(t *testing.T) {
	t.Parallel()
	client, _ := connect(t, listen(t, "127.0.0.1:0"), "", "127.0.0.1")
	s, err := peercred.Owner(netip.MustParseAddrPort(client.LocalAddr().String()), netip.MustParseAddrPort("127.0.0.1:1"))
	if err != nil || s.Inode != inode(t, client) {
		t.Errorf("got %+v, %v; want socket %d", s, err, inode(t, client))
	}
}

func TestListeners(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1:0", ":0", "[::1]:0", "0.0.0.0:0"} {
		l := listen(t, addr)
		port := l.Addr().(*net.TCPAddr).Port //nolint:errcheck,forcetypeassert // it listens on TCP
		found, err := peercred.Listeners(uint16(port))
		if err != nil || len(found) != 1 || found[0].Inode == 0 || !myself(found[0].UID) {
			t.Fatalf("%s: got %+v, %v, want one socket of mine", addr, found, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		// Another test may listen on that port by now, with another socket; and a process
		// that another test is just starting has this socket until it is executed.
		for {
			after, err := peercred.Listeners(uint16(port))
			if err != nil || t.Context().Err() != nil {
				t.Fatalf("%s: after closing it: %+v, %v", addr, after, err)
			}
			if !slices.Contains(after, found[0]) {
				break
			}
		}
	}
}

func BenchmarkOwner(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is at once
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()                                   //nolint:errcheck // the benchmark's own
	client, err := net.Dial("tcp", l.Addr().String()) //nolint:noctx // see above
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close() //nolint:errcheck // the benchmark's own
	local, remote := netip.MustParseAddrPort(client.LocalAddr().String()), netip.MustParseAddrPort(client.RemoteAddr().String())
	for b.Loop() {
		if _, err := peercred.Owner(local, remote); err != nil {
			b.Fatal(err)
		}
	}
}
