package group

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// removeLimit is how long the kernel may take to see that a control group is
// empty.
const removeLimit = time.Second

// cgroup is the control group of one command. A nil cgroup does nothing.
type cgroup struct {
	path string
}

// make creates the control group of a command. It returns nil if c is nil.
func (c *Cgroups) make(mark string, limits Limits) (*cgroup, error) {
	if c == nil {
		return nil, nil
	}
	g := &cgroup{path: filepath.Join(c.dir, commandGroup+mark)}
	if err := os.Mkdir(g.path, 0o755); err != nil { //nolint:gosec // as the kernel has them
		return nil, err
	}
	if err := g.limit(limits); err != nil {
		return nil, errors.Join(err, g.remove())
	}
	return g, nil
}

// cpuPeriod is the period in microseconds in which a group may use its share of the
// processors.
const cpuPeriod = 100_000

// limit sets limits for the sum of all processes in the group. If the memory limit
// is exceeded, the kernel kills the whole group and not only a part of an app.
func (g *cgroup) limit(l Limits) error {
	var err error
	if l.Memory > 0 {
		err = errors.Join(
			set(g.path, "memory.max", strconv.FormatInt(l.Memory, 10)),
			set(g.path, "memory.oom.group", "1"))
		if swap := set(g.path, "memory.swap.max", "0"); !errors.Is(swap, os.ErrNotExist) { // a kernel without swap
			err = errors.Join(err, swap)
		}
	}
	if l.CPUs > 0 {
		err = errors.Join(err, set(g.path, "cpu.max", fmt.Sprintf("%d %d", int(l.CPUs*cpuPeriod), cpuPeriod)))
	}
	if l.Processes > 0 {
		err = errors.Join(err, set(g.path, "pids.max", strconv.Itoa(l.Processes)))
	}
	return err
}

// admitted waits for a line on file descriptor 3 and executes the command.
const admitted = `read -r _ <&3 || exit 1
exec 3<&-
exec "$@"`

// launch starts cmd in the group. The command waits until it was moved there: it
// can't be started there by clone3(2), which is forbidden as it can create user
// namespaces.
func (g *cgroup) launch(cmd *exec.Cmd) error {
	if g == nil {
		return launch(cmd)
	}
	if cmd.Err != nil {
		return cmd.Err
	}
	wait, admit, err := os.Pipe()
	if err != nil {
		return err
	}
	defer admit.Close() //nolint:errcheck // the command ends if it has read nothing
	cmd.Args = append([]string{"/bin/sh", "-c", admitted, "admitted", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	cmd.ExtraFiles = append([]*os.File{wait}, cmd.ExtraFiles...)
	err = launch(cmd)
	_ = wait.Close() // the command has its own
	if err != nil {
		return err
	}
	if err := set(g.path, "cgroup.procs", strconv.Itoa(cmd.Process.Pid)); err != nil {
		return errors.Join(err, admit.Close(), ignoreExit(cmd.Wait()))
	}
	_, err = admit.WriteString("\n")
	return err
}

// ignoreExit returns err unless it is only that a command failed.
func ignoreExit(err error) error {
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil
	}
	return err
}

// pids returns the processes in the group, zombies apart.
func (g *cgroup) pids() map[int]bool {
	pids := map[int]bool{}
	if g == nil {
		return pids
	}
	text, err := os.ReadFile(filepath.Join(g.path, "cgroup.procs"))
	if err != nil {
		return pids // the other signs of a member remain
	}
	for word := range strings.FieldsSeq(string(text)) {
		if pid, err := strconv.Atoi(word); err == nil {
			pids[pid] = true
		}
	}
	return pids
}

// kill kills all processes in the group atomically, before one can fork again.
func (g *cgroup) kill() error {
	if g == nil {
		return nil
	}
	if err := set(g.path, "cgroup.kill", "1"); err != nil && !errors.Is(err, os.ErrNotExist) { // before Linux 5.14
		return fmt.Errorf("group: killing %s: %w", g.path, err)
	}
	return nil
}

// outOfMemory reports whether the kernel killed a process of the group because of
// the memory limit.
func (g *cgroup) outOfMemory() bool {
	if g == nil {
		return false
	}
	text, err := os.ReadFile(filepath.Join(g.path, "memory.events"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
			return n != "0"
		}
	}
	return false
}

// remove removes the group, which must be about to be empty.
func (g *cgroup) remove() error {
	if g == nil {
		return nil
	}
	for look := firstLook; ; look *= 2 {
		err := unix.Rmdir(g.path)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || look > removeLimit {
			return fmt.Errorf("group: removing %s: %w", g.path, err)
		}
		<-time.After(look)
	}
}
