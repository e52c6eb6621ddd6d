package group

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// niceness of commands (setpriority(2)): the server, which handles all requests, has
// a higher priority if the CPU is busy.
const niceness = 10

// launch starts cmd from a thread that can't gain privileges, which a child
// inherits. So no helper program is needed, and the server itself is not affected:
// the thread ends with its goroutine, as that doesn't unlock it, and Go starts no
// other thread from a locked one.
func launch(cmd *exec.Cmd) error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := disarm()
		if err == nil {
			err = forbidUserNamespaces()
		}
		if err == nil {
			// On Linux it affects only this thread. If it fails, the command runs with
			// the priority of the server.
			_ = unix.Setpriority(unix.PRIO_PROCESS, 0, niceness)
			err = cmd.Start()
		}
		started <- err
	}()
	return <-started
}

// disarm prevents the calling thread's children from gaining privileges by
// execve(2): those of set-user-ID programs and files with capabilities
// (no_new_privs), the server's inheritable capabilities (the ambient set), and, if
// the server is root, all others (the bounding set). The thread itself keeps its
// privileges, as it has to change the user.
func disarm() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("setting no_new_privs: %w", err)
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clearing the ambient capabilities: %w", err)
	}
	for capability := uintptr(0); ; capability++ {
		switch err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0); {
		case errors.Is(err, unix.EINVAL): // the kernel knows no more
			return nil
		case errors.Is(err, unix.EPERM): // not root: there is nothing to lose
			return nil
		case err != nil:
			return fmt.Errorf("dropping capability %d: %w", capability, err)
		}
	}
}
