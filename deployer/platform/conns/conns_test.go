package conns_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/conns"
)

// bench is a listener with limits. Each connection that it accepts goes to
// accepted.
type bench struct {
	t        *testing.T
	listener net.Listener
	accepted chan net.Conn
	ended    chan error
	log      bytes.Buffer // to be read after the end
}

func setup(t *testing.T, o conns.Options) *bench {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, accepted: make(chan net.Conn), ended: make(chan error, 1)}
	o.Logger = slog.New(slog.NewTextHandler(&b.log, nil))
	b.listener = conns.Limit(l, o)
	go func() {
		for {
			c, err := b.listener.Accept()
			if err != nil {
				b.ended <- err
				return
			}
			b.accepted <- c
		}
	}()
	t.Cleanup(func() { _ = b.listener.Close() })
	return b
}

// dial connects from an address of this machine.
func (b *bench) dial(from string) net.Conn {
	b.t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := dialer.DialContext(b.t.Context(), "tcp", b.listener.Addr().String())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = c.Close() })
	return c
}

// served connects and returns the server's end.
func (b *bench) served(from string) net.Conn {
	b.t.Helper()
	b.dial(from)
	c := <-b.accepted
	b.t.Cleanup(func() { _ = c.Close() })
	return c
}

// refused connects and waits until that is ended.
func (b *bench) refused(from string) {
	b.t.Helper()
	if n, err := b.dial(from).Read(make([]byte, 1)); n > 0 || err == nil {
		b.t.Errorf("what is too much was served")
	}
}

func (b *bench) close() {
	b.t.Helper()
	if err := b.listener.Close(); err != nil {
		b.t.Error(err)
	}
	if err := <-b.ended; !errors.Is(err, net.ErrClosed) {
		b.t.Errorf("accepting ends with %v", err)
	}
}

func TestOneAddress(t *testing.T) {
	t.Parallel()
	b := setup(t, conns.Options{Total: 100, Each: 2})
	first := b.served("127.0.0.1")
	b.served("127.0.0.1")
	b.refused("127.0.0.1")
	b.refused("127.0.0.1")
	b.served("127.0.0.2") // who is somebody else
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	_ = first.Close() // a place is given back once
	b.served("127.0.0.1")
	b.refused("127.0.0.1")
	b.close()
	if said := strings.Count(b.log.String(), "too many connections"); said != 1 {
		t.Errorf("the log tells it %d times: %s", said, b.log.String())
	}
}

func TestProxiesStandForMany(t *testing.T) {
	t.Parallel()
	b := setup(t, conns.Options{Total: 100, Each: 1, Exempt: []netip.Prefix{netip.MustParsePrefix("127.0.0.8/29")}})
	for range 3 {
		b.served("127.0.0.9")
	}
	b.served("127.0.0.1")
	b.refused("127.0.0.1")
}

// Beyond the total a connection waits, and is not lost.
func TestTotal(t *testing.T) {
	t.Parallel()
	b := setup(t, conns.Options{Total: 4}) // one of each address
	var held []net.Conn
	for _, from := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"} {
		held = append(held, b.served(from))
	}
	waits := b.dial("127.0.0.5")
	select {
	case <-b.accepted:
		t.Fatal("more are accepted than there are places")
	default:
	}
	if err := held[0].Close(); err != nil {
		t.Fatal(err)
	}
	c := <-b.accepted
	if _, err := io.WriteString(c, "served"); err != nil {
		t.Fatal(err)
	}
	if half, ok := c.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		t.Error("it is no TCP connection any more")
	}
	if text, err := io.ReadAll(waits); string(text) != "served" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	b.close() // also while it waits for a place
}

// All shares together leave files for all else, and nobody is left without.
func TestShares(t *testing.T) {
	t.Parallel()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	api, platform, apps := conns.OfAPI.Connections(), conns.OfPlatform.Connections(), conns.OfApps.Connections()
	if files := uint64(api + platform + 2*apps); platform < 1 || files > limit.Cur*7/8 { //nolint:gosec // all are positive
		t.Errorf("%d, %d and %d connections take %d files of %d", api, platform, apps, files, limit.Cur)
	}
}
