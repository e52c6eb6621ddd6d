package group_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"testing"

	"github.com/nodejitsu/webhooks/core/coretest/leftovers"
)

// cloneVariable makes the test program start a program in a user namespace, by
// clone(2), and print how that ends.
const cloneVariable = "GROUP_TEST_CLONE"

// threadVariable makes the first thread of the test program exit at SIGUSR1, and the
// program go on.
const threadVariable = "GROUP_TEST_THREAD"

func init() { //nolint:gochecknoinits // main must run on the first thread
	if os.Getenv(threadVariable) != "" {
		runtime.LockOSThread() // for main
	}
}

func TestMain(m *testing.M) {
	if os.Getenv(threadVariable) != "" {
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGUSR1)
		_, _ = fmt.Fprintln(os.Stdout, os.Getpid())
		<-asked
		_, _, _ = syscall.RawSyscall(syscall.SYS_EXIT, 0, 0, 0)
	}
	if os.Getenv(cloneVariable) != "" {
		cmd := exec.Command("/bin/true") //nolint:noctx // it ends at once
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}
		_, _ = fmt.Fprintln(os.Stdout, cmd.Run())
		return
	}
	os.Exit(leftovers.Run(m))
}
