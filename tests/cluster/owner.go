package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/nodejitsu/webhooks/core/coretest/leftovers"
)

// interfaces is the folder of the kernel with one folder for each network interface.
const interfaces = "/sys/class/net"

// owner is the process of a cluster. The alias of its bridge has it, so that the next
// cluster removes what a process has left that was killed.
type owner struct {
	pid   int
	start string // of the process, in ticks since the start of the machine
	dir   string // of the cluster
}

// self returns the owner that this process is.
func self(dir string) (owner, error) {
	start, err := startOf(os.Getpid())
	return owner{os.Getpid(), start, dir}, err
}

func (o owner) String() string { return fmt.Sprintf("%d %s %s", o.pid, o.start, o.dir) }

// parseOwner returns the owner that an alias names; ok is false if it names none.
func parseOwner(alias string) (o owner, ok bool) {
	fields := strings.SplitN(strings.TrimSpace(alias), " ", 3)
	if len(fields) != 3 || !filepath.IsAbs(fields[2]) {
		return owner{}, false
	}
	pid, err := strconv.Atoi(fields[0])
	return owner{pid, fields[1], fields[2]}, err == nil
}

// lives reports whether the process runs.
func (o owner) lives() bool {
	start, err := startOf(o.pid)
	return err == nil && start == o.start
}

// startOf returns when a process was started. A process that has ended, but whose parent
// has not waited for it, is not found.
func startOf(pid int) (string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	// The name before may have spaces and parentheses.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	const state, start = 0, 19
	if len(fields) <= start || fields[state] == "Z" || fields[state] == "X" {
		return "", fs.ErrNotExist
	}
	return fields[start], nil
}

// removeDead removes the clusters whose process was killed: what runs of them, their
// control groups, bridges and folders.
func removeDead(ctx context.Context) error {
	all, err := filepath.Glob(filepath.Join(interfaces, bridgePrefix+"*"))
	errs := []error{err}
	for _, path := range all {
		alias, err := os.ReadFile(filepath.Join(path, "ifalias")) //nolint:gosec // of the kernel
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was removed meanwhile
		}
		o, ok := parseOwner(string(alias))
		if err != nil || !ok || o.lives() {
			errs = append(errs, err)
			continue
		}
		var containers []string
		for _, pid := range leftovers.Processes(o.dir) {
			found, err := containersOf(pid)
			containers, errs = append(containers, found...), append(errs, err)
		}
		errs = append(errs, leftovers.Kill(o.dir), removeGroups(containers))
		_, err = output(ctx, "ip", "link", "delete", filepath.Base(path))
		errs = append(errs, err, os.RemoveAll(o.dir))
	}
	return errors.Join(errs...)
}

// lockNetworks lets one process at a time create and remove bridges, until the returned
// function is called: a bridge has no alias when it is created.
func lockNetworks() (release func(), err error) {
	dir, err := os.Open(interfaces)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", interfaces, err), dir.Close())
	}
	return func() { _ = dir.Close() }, nil // which releases the lock
}
