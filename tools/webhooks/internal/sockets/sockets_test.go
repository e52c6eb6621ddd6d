//go:build unix

package sockets_test

import (
	"errors"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/sockets"
)

// manager is the notification socket of a service manager.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

// next returns the next message and the number of files with it.
func (m manager) next() (message string, files int) {
	m.t.Helper()
	if err := m.conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		m.t.Fatal(err)
	}
	text, rights := make([]byte, 1000), make([]byte, 1000)
	n, rn, _, _, err := m.conn.ReadMsgUnix(text, rights)
	if err != nil {
		m.t.Fatal(err)
	}
	messages, err := syscall.ParseSocketControlMessage(rights[:rn])
	if err != nil {
		m.t.Fatal(err)
	}
	for _, one := range messages {
		fds, err := syscall.ParseUnixRights(&one)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, fd := range fds {
			if err := syscall.Close(fd); err != nil {
				m.t.Error(err)
			}
		}
		files += len(fds)
	}
	return string(text[:n]), files
}

// A service manager gets each socket that is opened, and is notified when the server
// is ready and when it stops.
func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the test's own
	t.Setenv("NOTIFY_SOCKET", path)
	s, err := sockets.Inherit()
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Listen(t.Context(), "listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // the test's own
	s.Ready()
	s.Stopping()
	for _, want := range []struct {
		message string
		files   int
	}{{"FDSTORE=1\nFDNAME=listen", 1}, {"READY=1", 0}, {"STOPPING=1", 0}} {
		if message, files := (manager{t, conn}).next(); message != want.message || files != want.files {
			t.Errorf("got %q with %d files, want %+v", message, files, want)
		}
	}
	if err := s.Succeed(t.Context(), "/bin/false", nil, nil); err == nil {
		t.Error("a successor was started under a service manager")
	}
}

// Sockets that are meant for another process are not used, and a successor that does
// not start leaves this process as it is.
func TestNoSuccessor(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("LISTEN_PID", "1")
	t.Setenv("LISTEN_FDS", "2")
	s, err := sockets.Inherit()
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Listen(t.Context(), "listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // the test's own
	if err := s.Succeed(t.Context(), "/bin/false", nil, nil); err == nil {
		t.Error("a program that fails succeeds this process")
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	// The listener did not become blocking: its Accept ends when it is closed.
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	accepted := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		accepted <- err
	}()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed listener accepts: %v", err)
	}
}
