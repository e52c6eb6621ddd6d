package group

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Collect collects the zombies of orphans that came to us and that no group
// knows as its own: who has a session of its own and ended between two looks,
// or has lost the mark. See [Adopt].
func Collect() error {
	var ended unix.Siginfo
	err := unix.Waitid(unix.P_ALL, 0, &ended, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	if errors.Is(err, unix.ECHILD) || err == nil && ended.Signo == 0 {
		return nil // no child has ended: reading the whole table would take long
	}
	table, err := scan()
	if err != nil {
		return fmt.Errorf("group: reading the process table: %w", err)
	}
	self, pgrp := os.Getpid(), unix.Getpgrp()
	session, err := unix.Getsid(0)
	if err != nil {
		return fmt.Errorf("group: asking for the session: %w", err)
	}
	for _, p := range table {
		// What we start ourselves, and wait for elsewhere, is in our session and
		// there in our process group or the leader of another.
		ours := p.session == session && (p.group == pgrp || p.group == p.pid)
		if p.zombie && p.parent == self && !ours {
			_, _ = syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil) // a group may have been quicker
		}
	}
	return nil
}
