// Package sockets holds the listening sockets of the server while one process
// replaces another, so that no connection is refused meanwhile: the kernel queues
// connections as long as some process has the socket open.
//
// A socket comes from the service manager, by the protocol of systemd
// (sd_listen_fds(3)), or from the process that this one succeeds. One that is opened
// here is given to systemd to hold (FDSTORE of sd_notify(3)).
package sockets

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// firstFile is the first inherited file (sd_listen_fds(3)).
const firstFile = 3

// Variables of the environment.
const (
	varPid   = "LISTEN_PID"
	varFiles = "LISTEN_FDS"
	varNames = "LISTEN_FDNAMES"
	// varSuccessor has the number of the file that ends when the process before this
	// one does; this one writes preparedMessage to the next file when it is ready for
	// that.
	varSuccessor = "WEBHOOKS_SUCCESSOR"
)

// preparedMessage is what a successor says when it is prepared.
const preparedMessage = "prepared"

// Sockets are the listening sockets of this process.
type Sockets struct {
	notify notifier

	mu        sync.Mutex
	inherited []socket
	open      []socket // those that Listen has returned

	before, prepared *os.File // of a successor: see varSuccessor
	life             *os.File // of the process before a successor; nil: there is none
}

// socket is a listening socket with its name, the setting that has its address.
type socket struct {
	name     string
	listener *net.TCPListener
}

// Inherit returns the sockets that this process was started with. It removes their
// variables from the environment, which is not for child processes.
func Inherit() (*Sockets, error) {
	s := &Sockets{notify: newNotifier(os.Getenv("NOTIFY_SOCKET"))}
	successor := os.Getenv(varSuccessor)
	pid, count, names := os.Getenv(varPid), os.Getenv(varFiles), strings.Split(os.Getenv(varNames), ":")
	for _, name := range []string{"NOTIFY_SOCKET", varSuccessor, varPid, varFiles, varNames} {
		if err := os.Unsetenv(name); err != nil {
			return nil, fmt.Errorf("sockets: %w", err)
		}
	}
	if count == "" || successor == "" && pid != strconv.Itoa(os.Getpid()) {
		return s, nil // there are none, or they are another process's
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("sockets: invalid %s %q", varFiles, count)
	}
	for i := range n {
		name := ""
		if i < len(names) {
			name = names[i]
		}
		listener, err := inherit(firstFile+i, name)
		if err != nil {
			return nil, fmt.Errorf("sockets: inherited file %d %q: %w", firstFile+i, name, err)
		}
		s.inherited = append(s.inherited, socket{name, listener})
	}
	if successor != "" {
		first, err := strconv.Atoi(successor)
		if err != nil {
			return nil, fmt.Errorf("sockets: invalid %s %q", varSuccessor, successor)
		}
		s.before, s.prepared = openFile(first, "before"), openFile(first+1, "prepared")
	}
	return s, nil
}

// inherit returns the listener of an inherited file.
func inherit(number int, name string) (*net.TCPListener, error) {
	file := openFile(number, name)
	defer file.Close() //nolint:errcheck // the listener has its own
	listener, err := net.FileListener(file)
	if err != nil {
		return nil, err
	}
	tcp, ok := listener.(*net.TCPListener)
	if !ok {
		return nil, errors.Join(errors.New("it is no TCP socket"), listener.Close())
	}
	return tcp, nil
}

// Listen returns a listener on an address: an inherited one if there is one on that
// address, else a new one. name is the setting that has the address.
func (s *Sockets) Listen(ctx context.Context, name, addr string) (net.Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.inherited, func(one socket) bool { return one.name == name && one.on(addr) })
	if i < 0 {
		i = slices.IndexFunc(s.inherited, func(one socket) bool { return one.on(addr) && !anyPort(addr) })
	}
	if i >= 0 {
		one := s.inherited[i]
		s.inherited = slices.Delete(s.inherited, i, i+1)
		one.name = name
		s.open = append(s.open, one)
		return one.listener, nil
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if tcp, ok := listener.(*net.TCPListener); ok {
		s.open = append(s.open, socket{name, tcp})
		s.notify.store(name, tcp)
	}
	return listener, nil
}

// on reports whether a socket listens on an address of the settings.
func (one socket) on(addr string) bool {
	want, err := net.ResolveTCPAddr("tcp", addr)
	has, ok := one.listener.Addr().(*net.TCPAddr)
	if err != nil || !ok || want.Port != has.Port && want.Port != 0 {
		return false
	}
	if len(want.IP) == 0 || want.IP.IsUnspecified() {
		return has.IP.IsUnspecified()
	}
	return want.IP.Equal(has.IP)
}

// anyPort reports whether an address leaves the port to the system.
func anyPort(addr string) bool {
	_, port, _ := net.SplitHostPort(addr) // the settings are checked
	return port == "0"
}

// Ready closes the inherited sockets that no setting has any more, and notifies
// the service manager that the server is ready.
func (s *Sockets) Ready() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.inherited {
		_ = one.listener.Close() // nothing uses it
		s.notify.remove(one.name)
	}
	s.inherited = nil
	s.notify.send("READY=1")
}

// Stopping notifies the service manager that the server stops.
func (s *Sockets) Stopping() { s.notify.send("STOPPING=1") }

// Await does nothing unless this process is to succeed another one. Then it reports
// that it is prepared, and waits for the end of that one.
func (s *Sockets) Await() error {
	if s.before == nil {
		return nil
	}
	if _, err := s.prepared.WriteString(preparedMessage); err != nil {
		return fmt.Errorf("sockets: %w", err)
	}
	if err := s.prepared.Close(); err != nil {
		return fmt.Errorf("sockets: %w", err)
	}
	_, _ = s.before.Read(make([]byte, 1)) // nothing is ever written
	return s.before.Close()
}
