//go:build !linux

package router

import "net"

// silent reports false: the platform runs on Linux alone.
func silent(net.Conn) bool { return false }
