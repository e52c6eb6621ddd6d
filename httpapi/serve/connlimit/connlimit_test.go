package connlimit_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/httpapi/serve/connlimit"
)

// fixture is a listener with limits. Each connection that it accepts is sent
// to accepted.
type fixture struct {
	t        *testing.T
	listener net.Listener
	accepted chan net.Conn
	ended    chan error
	log      bytes.Buffer // to be read after close
}

func setup(t *testing.T, o connlimit.Options) *fixture {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, accepted: make(chan net.Conn), ended: make(chan error, 1)}
	o.Logger = slog.New(slog.NewTextHandler(&f.log, nil))
	f.listener = connlimit.Listen(l, o)
	go func() {
		for {
			c, err := f.listener.Accept()
			if err != nil {
				f.ended <- err
				return
			}
			f.accepted <- c
		}
	}()
	t.Cleanup(func() { _ = f.listener.Close() })
	return f
}

// dial connects from an address of this machine.
func (f *fixture) dial(from string) net.Conn {
	f.t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := dialer.DialContext(f.t.Context(), "tcp", f.listener.Addr().String())
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = c.Close() })
	return c
}

// served connects and returns the server's end.
func (f *fixture) served(from string) *connlimit.Conn {
	f.t.Helper()
	f.dial(from)
	c, ok := (<-f.accepted).(*connlimit.Conn)
	if !ok {
		f.t.Fatal("it accepts something else")
	}
	f.t.Cleanup(func() { _ = c.Close() })
	return c
}

// refused connects and waits until the server ends that.
func (f *fixture) refused(from string) {
	f.t.Helper()
	if n, err := f.dial(from).Read(make([]byte, 1)); n > 0 || err == nil {
		f.t.Errorf("a connection beyond the limit was served")
	}
}

func (f *fixture) close() {
	f.t.Helper()
	if err := f.listener.Close(); err != nil {
		f.t.Error(err)
	}
	if err := <-f.ended; !errors.Is(err, net.ErrClosed) {
		f.t.Errorf("Accept ends with %v", err)
	}
}

func TestPerAddress(t *testing.T) {
	t.Parallel()
	f := setup(t, connlimit.Options{Total: 100, PerAddr: 2})
	first := f.served("127.0.0.1")
	f.served("127.0.0.1")
	f.refused("127.0.0.1")
	f.refused("127.0.0.1")
	f.served("127.0.0.2") // another client
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	_ = first.Close() // gives back no second slot
	f.served("127.0.0.1")
	f.refused("127.0.0.1")
	f.close()
	if lines := strings.Count(f.log.String(), "too many"); lines != 1 {
		t.Errorf("%d log lines: %s", lines, f.log.String())
	}
}

func TestExempt(t *testing.T) {
	t.Parallel()
	proxies := netip.MustParsePrefix("127.0.0.8/29")
	f := setup(t, connlimit.Options{Total: 100, PerAddr: 1, Exempt: proxies.Contains})
	for range 3 {
		f.served("127.0.0.9")
	}
	f.served("127.0.0.1")
	f.refused("127.0.0.1")
}

// Beyond the total a connection waits, and is not lost.
func TestTotal(t *testing.T) {
	t.Parallel()
	f := setup(t, connlimit.Options{Total: 4}) // one from each address
	var open []net.Conn
	for _, from := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"} {
		open = append(open, f.served(from))
	}
	waiting := f.dial("127.0.0.5")
	select {
	case <-f.accepted:
		t.Fatal("more are accepted than there are slots")
	default:
	}
	if err := open[0].Close(); err != nil {
		t.Fatal(err)
	}
	c := <-f.accepted
	if _, err := io.WriteString(c, "served"); err != nil {
		t.Fatal(err)
	}
	if half, ok := c.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		t.Error("it is not a TCP connection any more")
	}
	if text, err := io.ReadAll(waiting); string(text) != "served" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	f.close() // also while it waits for a slot
}

// Beyond the total there is a reserve. What is accepted from it says so, unless
// there is room again by then.
func TestReserve(t *testing.T) {
	t.Parallel()
	f := setup(t, connlimit.Options{Total: 1, Reserve: 1, PerAddr: 10})
	first := f.served("127.0.0.1")
	second := f.served("127.0.0.1")
	if first.Reserve() || !second.Reserve() {
		t.Errorf("first from the reserve: %t, second: %t", first.Reserve(), second.Reserve())
	}
	waiting := f.dial("127.0.0.1")
	select {
	case <-f.accepted:
		t.Fatal("more are accepted than there are slots")
	default:
	}
	_ = second.Close()
	third := <-f.accepted
	if c, ok := third.(*connlimit.Conn); !ok || !c.Reserve() {
		t.Error("the third is not from the reserve")
	}
	_ = third.Close()
	_ = waiting.Close()
	_ = first.Close() // while Accept waits with a slot of the reserve, perhaps
	if f.served("127.0.0.1").Reserve() {
		t.Error("it is from the reserve though there is room")
	}
	f.close()
	if lines := strings.Count(f.log.String(), "connection limit reached"); lines != 1 {
		t.Errorf("%d log lines: %s", lines, f.log.String())
	}
}

func TestShare(t *testing.T) {
	t.Parallel()
	half, eighth := connlimit.Share(2), connlimit.Share(8)
	if eighth < 1 || half < eighth || connlimit.Share(1<<30) != 1 {
		t.Errorf("a half is %d, an eighth %d, nearly nothing %d", half, eighth, connlimit.Share(1<<30))
	}
}
