//go:build !unix

package sockets

import "net"

// send does nothing: there is no such service manager here.
func (n notifier) send(string, ...int) {}

// store does nothing, likewise.
func (n notifier) store(string, *net.TCPListener) {}
