package group_test

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/nodejitsu/webhooks/core/coretest/leftovers"
)

// cloneVariable makes the test program start a program in a user namespace, by
// clone(2), and print how that ends.
const cloneVariable = "GROUP_TEST_CLONE"

func TestMain(m *testing.M) {
	if os.Getenv(cloneVariable) != "" {
		cmd := exec.Command("/bin/true") //nolint:noctx // it ends at once
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}
		_, _ = fmt.Fprintln(os.Stdout, cmd.Run())
		return
	}
	os.Exit(leftovers.Run(m))
}
