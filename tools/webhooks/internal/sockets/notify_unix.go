//go:build unix

package sockets

import (
	"net"
	"syscall"
)

// send sends a message to the service manager, with the files. Failures have no
// effect that this process could mend.
func (n notifier) send(message string, files ...int) {
	if n.path == "" {
		return
	}
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return
	}
	defer syscall.Close(fd) //nolint:errcheck // the message is sent, or not
	var rights []byte
	if len(files) > 0 {
		rights = syscall.UnixRights(files...)
	}
	_ = syscall.Sendmsg(fd, []byte(message), rights, &syscall.SockaddrUnix{Name: n.path}, 0)
}

// store gives a socket to the service manager, which passes it to the next process.
func (n notifier) store(name string, listener *net.TCPListener) {
	if n.path == "" {
		return
	}
	raw, err := listener.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { n.send("FDSTORE=1\nFDNAME="+name, int(fd)) }) //nolint:gosec // a descriptor
}
