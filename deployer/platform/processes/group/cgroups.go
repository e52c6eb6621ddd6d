package group

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The control groups below the server's own: one that the server moves to, as
// a group that hands out controllers may have no process itself (cgroups(7),
// "no internal processes"), and one for each command, named by its mark.
const (
	cgroupRoot   = "/sys/fs/cgroup"
	serverGroup  = "server"
	commandGroup = "drone-"
	serverWeight = "1000" // of the processor; a command's is the kernel's default, 100
)

// Restartable reports whether the service manager can start the next server while
// commands of this one run in its control groups. systemd puts a service into the
// control group of its unit, where no process may be once it is divided, unless the
// unit has DelegateSubgroup=server, which systemd knows from version 254 on.
func Restartable() bool {
	if os.Getenv("INVOCATION_ID") == "" || os.Getppid() != 1 {
		return true // it is not a service of systemd
	}
	dir, err := ownCgroup()
	return err == nil && filepath.Base(dir) == serverGroup
}

// ErrNoCgroups says why commands have no control groups.
var ErrNoCgroups = errors.New("group: no control groups")

// Cgroups makes a control group (cgroups(7), version 2) for each command. A nil
// one makes none.
type Cgroups struct{ dir string }

// OpenCgroups moves the server to a control group below its own, unless it is in
// one of that name already, as with DelegateSubgroup of systemd, and hands the
// controllers memory, pids and cpu to those beside it. It fails with
// [ErrNoCgroups] where the group is not the server's to divide: others are in
// it, it may not be written to, or the machine has no version 2 with memory and
// pids. It holds for the whole program.
func OpenCgroups(ctx context.Context) (*Cgroups, error) {
	dir, err := ownCgroup()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoCgroups, err)
	}
	c := &Cgroups{dir: dir}
	if filepath.Base(dir) == serverGroup { // by an earlier call, or by the service manager
		c.dir = filepath.Dir(dir)
		if !c.divided() {
			err = c.divide()
		}
	} else if err = c.divide(); err != nil {
		err = errors.Join(err, c.undivide())
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoCgroups, err)
	}
	if err := c.try(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoCgroups, err)
	}
	return c, nil
}

// ownCgroup returns the folder of the server's own control group.
func ownCgroup() (string, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(cgroupRoot, &fs); err != nil {
		return "", err
	}
	if fs.Type != unix.CGROUP2_SUPER_MAGIC {
		return "", fmt.Errorf("%s is not version 2", cgroupRoot)
	}
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			return filepath.Join(cgroupRoot, strings.TrimSuffix(path, "\n")), nil
		}
	}
	return "", errors.New("the server is in none of version 2")
}

// divide moves the server and hands out the controllers.
func (c *Cgroups) divide() error {
	if has, err := c.holds("cgroup.controllers", "memory", "pids"); err != nil || !has {
		return errors.Join(fmt.Errorf("%s has no memory and pids to hand out", c.dir), err)
	}
	self := strconv.Itoa(os.Getpid())
	text, err := os.ReadFile(filepath.Join(c.dir, "cgroup.procs"))
	if err != nil {
		return err
	}
	for pid := range strings.FieldsSeq(string(text)) {
		if pid != self {
			return fmt.Errorf("%s is not the server's alone: process %s is in it", c.dir, pid)
		}
	}
	server := filepath.Join(c.dir, serverGroup)
	if err := os.Mkdir(server, 0o755); err != nil && !errors.Is(err, os.ErrExist) { //nolint:gosec // as the kernel has them
		return err
	}
	if err := set(server, "cgroup.procs", self); err != nil {
		return err
	}
	if err := set(c.dir, "cgroup.subtree_control", "+memory +pids"); err != nil {
		return err
	}
	// Nice to have.
	_ = set(c.dir, "cgroup.subtree_control", "+cpu")
	_ = set(server, "cpu.weight", serverWeight)
	return nil
}

// undivide moves the server back after half a divide.
func (c *Cgroups) undivide() error {
	server := filepath.Join(c.dir, serverGroup)
	if _, err := os.Stat(server); err != nil {
		return nil // it never moved
	}
	return errors.Join(set(c.dir, "cgroup.procs", strconv.Itoa(os.Getpid())), os.Remove(server))
}

// divided reports whether the controllers are handed out.
func (c *Cgroups) divided() bool {
	has, err := c.holds("cgroup.subtree_control", "memory", "pids")
	return err == nil && has
}

// try runs a command in a control group.
func (c *Cgroups) try(ctx context.Context) error {
	g, err := c.Start(exec.CommandContext(ctx, "/bin/true"), fmt.Sprintf("try.%d", os.Getpid()), Limits{Memory: 64 << 20, Processes: 10})
	if err != nil {
		return err
	}
	<-g.Exited()
	return g.End(ctx, 0)
}

// LimitCPUs reports whether the control groups can limit processors.
func (c *Cgroups) LimitCPUs() bool {
	if c == nil {
		return false
	}
	has, err := c.holds("cgroup.subtree_control", "cpu")
	return err == nil && has
}

// Dir returns the folder of the control groups; "" if there are none.
func (c *Cgroups) Dir() string {
	if c == nil {
		return ""
	}
	return c.dir
}

// CgroupsAt returns the control groups that another process has opened, by the
// folder that their Dir returns; nil if it is "".
func CgroupsAt(dir string) *Cgroups {
	if dir == "" {
		return nil
	}
	return &Cgroups{dir: dir}
}

// Sweep kills what is in control groups whose mark begins with prefix, except
// those whose mark is in keep, and removes them: those that a server left which
// was killed.
func (c *Cgroups) Sweep(prefix string, keep map[string]bool) error {
	if c == nil {
		return nil
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return fmt.Errorf("group: looking for control groups: %w", err)
	}
	var failures []error
	for _, entry := range entries {
		mark, ok := strings.CutPrefix(entry.Name(), commandGroup)
		if ok && strings.HasPrefix(mark, prefix) && !keep[mark] {
			left := &cgroup{path: filepath.Join(c.dir, entry.Name())}
			failures = append(failures, left.kill(), left.remove())
		}
	}
	return errors.Join(failures...)
}

// holds reports whether a file of the group's has all these words.
func (c *Cgroups) holds(file string, words ...string) (bool, error) {
	text, err := os.ReadFile(filepath.Join(c.dir, file)) //nolint:gosec // of a control group
	if err != nil {
		return false, err
	}
	has := strings.Fields(string(text))
	return !slices.ContainsFunc(words, func(word string) bool { return !slices.Contains(has, word) }), nil
}

// set writes to a file of a control group.
func set(dir, name, value string) error {
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0) //nolint:gosec // of a control group
	if err != nil {
		return err
	}
	_, err = file.WriteString(value)
	return errors.Join(err, file.Close())
}
