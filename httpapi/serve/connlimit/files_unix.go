//go:build unix

package connlimit

import "syscall"

// files returns how many files the process may open.
func files() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return most
	}
	return uint64(limit.Cur) //nolint:unconvert // a signed number on some systems
}
