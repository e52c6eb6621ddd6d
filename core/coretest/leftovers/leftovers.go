// Package leftovers finds what tests leave behind: processes, mounts, network interfaces
// and files.
//
// A package whose tests start processes has
//
//	func TestMain(m *testing.M) { os.Exit(leftovers.Run(m)) }
//
// Everything that its tests create is then in one folder. A process belongs to the
// tests if the folder is in its working directory, its environment or its
// arguments, and an interface if the folder is in its alias. All but files are found on
// Linux only.
package leftovers

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// patience limits waiting for a process to exit by itself, or after it was killed. Only
// one that hangs reaches it.
const patience = 2 * time.Minute

// Tests are the tests of a package, such as a *testing.M.
type Tests interface{ Run() (code int) }

// Run runs the tests of a package and returns the exit code: that of the tests,
// or 1 if they leave something behind. What they leave is removed.
func Run(m Tests) int {
	dir, err := makeFolder()
	if err != nil {
		fmt.Fprintln(os.Stderr, "leftovers:", err)
		return 1
	}
	code := m.Run()
	if err := errors.Join(check(dir, patience), os.RemoveAll(dir)); err != nil {
		fmt.Fprintf(os.Stderr, "FAIL: the tests left something behind:\n%v\n", err)
		code = max(code, 1)
	}
	return code
}

// makeFolder creates a folder for everything that the tests create.
func makeFolder() (string, error) {
	dir, err := os.MkdirTemp("", "webhooks-test-")
	if err != nil {
		return "", err
	}
	// An app that runs as another user must be able to traverse it.
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // see above
		return "", err
	}
	// Node.js would keep compiled code in the temporary folder.
	return dir, errors.Join(os.Setenv("TMPDIR", dir), os.Setenv("NODE_DISABLE_COMPILE_CACHE", "1"))
}

// check returns an error that names the processes, the mounts, the interfaces and the
// files that are left of a folder. The processes are ended if they do not end by
// themselves within limit.
func check(dir string, limit time.Duration) error {
	var all []error
	for _, p := range ended(dir, limit, func(process) {}) {
		all = append(all, fmt.Errorf("process %s", p))
	}
	all = append(all, Kill(dir))
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		all = append(all, err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, dir) {
			all = append(all, fmt.Errorf("mount %s", strings.TrimSpace(line)))
		}
	}
	for _, name := range interfaces("/sys/class/net", dir) {
		all = append(all, fmt.Errorf("network interface %s", name))
	}
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		all = append(all, err)
	}
	for _, file := range files {
		all = append(all, fmt.Errorf("file %s", filepath.Join(dir, file.Name())))
	}
	return errors.Join(all...)
}

// interfaces returns the names of the network interfaces that belong to a folder. root is
// the folder in which the kernel has them.
func interfaces(root, dir string) (names []string) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil
	}
	for _, entry := range entries {
		alias, err := os.ReadFile(filepath.Join(root, entry.Name(), "ifalias")) //nolint:gosec // of the kernel
		if err == nil && mentions(bytes.TrimSpace(alias), dir) {
			names = append(names, entry.Name())
		}
	}
	return names
}

// Kill ends all processes of a folder, and waits until they have ended.
func Kill(dir string) error {
	left := ended(dir, patience, func(p process) {
		if running, err := os.FindProcess(p.pid); err == nil {
			_ = running.Kill() // it may have ended
		}
	})
	if len(left) > 0 {
		return fmt.Errorf("processes do not end: %v", left)
	}
	return nil
}

// Processes returns the processes of a folder, other than this one.
func Processes(dir string) (pids []int) {
	for _, p := range processes(dir) {
		pids = append(pids, p.pid)
	}
	return pids
}

// ended waits until no process of a folder is left, but no longer than limit. It
// returns those that are left. Meanwhile it calls each for every process, again
// and again.
func ended(dir string, limit time.Duration, each func(process)) []process {
	again, late := time.NewTicker(10*time.Millisecond), time.After(limit)
	defer again.Stop()
	for {
		found := processes(dir)
		if len(found) == 0 {
			return nil
		}
		for _, p := range found {
			each(p)
		}
		select {
		case <-again.C:
		case <-late:
			return found
		}
	}
}

// process is a process on this machine.
type process struct {
	pid  int
	args string
	dir  string // its working directory
}

func (p process) String() string { return fmt.Sprintf("%d %q in %s", p.pid, p.args, p.dir) }

// processes returns the processes that belong to a folder, other than this one.
// Zombies are not returned.
func processes(dir string) []process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		at := filepath.Join("/proc", entry.Name())
		// These fail for a process that has exited meanwhile, or that belongs to
		// another user.
		cwd, _ := os.Readlink(filepath.Join(at, "cwd"))
		args, _ := os.ReadFile(filepath.Join(at, "cmdline"))    //nolint:gosec // a number
		environ, _ := os.ReadFile(filepath.Join(at, "environ")) //nolint:gosec // a number
		if !within(cwd, dir) && !mentions(args, dir) && !mentions(environ, dir) {
			continue
		}
		found = append(found, process{pid, strings.TrimSpace(strings.ReplaceAll(string(args), "\x00", " ")), cwd})
	}
	return found
}

func within(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, dir)
	return ok && (rest == "" || rest[0] == '/' || rest[0] == ' ') // " (deleted)" follows the name of a removed one
}

// mentions reports whether one of the texts, which end in NUL, has the path of
// dir or of something in it.
func mentions(texts []byte, dir string) bool {
	return slices.ContainsFunc(bytes.Split(texts, []byte{0}), func(text []byte) bool {
		for {
			at := bytes.Index(text, []byte(dir))
			if at < 0 {
				return false
			}
			text = text[at+len(dir):]
			if len(text) == 0 || !isNamePart(text[0]) {
				return true
			}
		}
	})
}

// isNamePart reports whether c may be part of a folder's name, so that the name
// before it is only the beginning of another one.
func isNamePart(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_'
}
