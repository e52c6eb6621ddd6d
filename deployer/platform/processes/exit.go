package processes

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"

	"github.com/nodejitsu/webhooks/deployer/platform/processes/keeper"
)

// exitText describes how the drone exited, as the predicate of a sentence. The
// drone must have been ended.
func (d *drone) exitText(err error) string {
	limit := fmt.Sprintf("the limit is %s; raise it by `webhooks apps limits`", size(d.memory))
	switch text := exitText(err); {
	case d.group.OutOfMemory():
		return "needed more memory than an app may have, and was ended (" + limit + ")"
	case outOfMemory(d.lastText()):
		return text + " as it ran out of memory (" + limit + ")"
	case aborted(err):
		return text + ", as programs do that get no more memory (" + limit + ")"
	default:
		return text
	}
}

// exitText describes how a process exited, as the predicate of a sentence.
func exitText(err error) string {
	if err == nil {
		return "exited with code 0"
	}
	status, ok := waitStatus(err)
	switch {
	case errors.Is(err, keeper.ErrGone):
		return "was ended, as its keeper was killed"
	case !ok:
		return "ended: " + err.Error()
	case status.Signaled():
		return fmt.Sprintf("was ended by signal %d (%v)", status.Signal(), status.Signal())
	}
	return fmt.Sprintf("exited with code %d", status.ExitStatus())
}

// waitStatus returns how a process exited. ok is false if err is not about that.
func waitStatus(err error) (status syscall.WaitStatus, ok bool) {
	if exit, kept := errors.AsType[*keeper.Exit](err); kept {
		return exit.Status, true
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return 0, false
	}
	status, ok = exit.Sys().(syscall.WaitStatus)
	return status, ok
}

// outOfMemory reports whether a program's last lines contain an out-of-memory
// message, such as those of Node.js.
func outOfMemory(lines string) bool {
	for _, text := range []string{"JavaScript heap out of memory", "Array buffer allocation failed", "ERR_MEMORY_ALLOCATION_FAILED", "process out of memory", "std::bad_alloc", "Cannot allocate memory"} {
		if strings.Contains(lines, text) {
			return true
		}
	}
	return false
}

// aborted reports whether a program was ended by a signal that Node.js raises if
// an allocation fails, or has the exit code that a shell reports for one.
func aborted(err error) bool {
	status, ok := waitStatus(err)
	if !ok {
		return false
	}
	signal := syscall.Signal(status.ExitStatus() - 128)
	if status.Signaled() {
		signal = status.Signal()
	}
	switch signal {
	case syscall.SIGABRT, syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGTRAP, syscall.SIGILL:
		return true
	}
	return false
}

// size formats a number of bytes in GiB or MiB.
func size(bytes int64) string {
	if bytes%(1<<30) == 0 {
		return fmt.Sprintf("%d GiB", bytes>>30)
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}
