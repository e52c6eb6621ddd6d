package group

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// CheckInspect fails if the server, as root, can't see the sockets of processes of
// other users. That needs the capability SYS_PTRACE, which a container does not have
// by default.
func CheckInspect() error {
	const file = "/proc/self/status" // proc_pid_status(5)
	status, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("group: reading the capabilities: %w", err)
	}
	if !mayTrace(string(status)) {
		return errors.New("root without the capability SYS_PTRACE can't see on which ports the apps listen, so none would start: let it have the capability, in a container by --cap-add SYS_PTRACE")
	}
	return nil
}

// mayTrace reports whether a process has the capability SYS_PTRACE, by its status.
func mayTrace(status string) bool {
	_, rest, _ := strings.Cut(status, "\nCapEff:")
	line, _, _ := strings.Cut(rest, "\n")
	set, err := strconv.ParseUint(strings.TrimSpace(line), 16, 64)
	const sysPtrace = 19
	return err == nil && set&(1<<sysPtrace) != 0
}
