//go:build unix

package cli

import (
	"os/exec"
	"syscall"
)

// detach makes cmd run in a session of its own, without a terminal that it, or
// ssh below it, could open to ask a question. All of the session ends with cmd.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
