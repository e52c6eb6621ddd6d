package group

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// niceness of commands (setpriority(2)): the server, which handles all requests, has
// a higher priority if the CPU is busy.
const niceness = 10

// launch starts cmd from a thread that can't gain privileges, and has the command's
// user in its user database, which a child inherits. So no helper program is needed,
// and the server itself is not affected.
func launch(cmd *exec.Cmd) error {
	return onThread(func() error {
		if a, ok := accountOf(cmd); ok {
			_ = provideAccount(a) // without it, the command's user has no name
		}
		if err := errors.Join(disarm(), forbidUserNamespaces()); err != nil {
			return err
		}
		// On Linux it affects only this thread. If it fails, the command runs with
		// the priority of the server.
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, niceness)
		return cmd.Start()
	})
}

// onThread calls do on a thread of its own, which ends with it: a goroutine that
// ends without unlocking its thread ends that too, and Go starts no other thread
// from a locked one.
func onThread(do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			// The main thread would not end. While it waits here, the other
			// goroutine has another one.
			defer runtime.UnlockOSThread()
			done <- onThread(do)
			return
		}
		done <- do()
	}()
	return <-done
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
