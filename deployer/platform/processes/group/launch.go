package group

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// niceness of what is started (setpriority(2)): the server, which all requests
// go through, comes first where there is not enough for all.
const niceness = 10

// launch starts cmd from a thread that has given up all ways to more
// privileges. A child inherits that of the thread that starts it, so neither a
// program in between is needed nor anything of the server's own lost: the
// thread ends with its goroutine, as that doesn't unlock it, and Go starts no
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
			// Of this thread alone, on Linux. Where it is refused, the command is
			// as important as the server, and runs all the same.
			_ = unix.Setpriority(unix.PRIO_PROCESS, 0, niceness)
			err = cmd.Start()
		}
		started <- err
	}()
	return <-started
}

// disarm takes from the calling thread's children what they could gain by
// execve(2): the rights of set-user-ID programs and files with capabilities
// (no_new_privs), capabilities that the server was given to pass on (the
// ambient set), and, where the server is root, all others (the bounding set).
// What the thread itself may, it still may: it has to change the user.
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
