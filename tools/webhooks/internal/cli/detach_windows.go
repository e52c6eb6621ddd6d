package cli

import (
	"os/exec"
	"syscall"
)

// detach makes cmd run without a console that it could open to ask a question.
func detach(cmd *exec.Cmd) {
	const createNoWindow = 0x08000000 // CREATE_NO_WINDOW
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: createNoWindow}
}
