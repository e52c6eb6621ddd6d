package group

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Variable is the environment variable that holds the mark of a group.
const Variable = "WEBHOOKS_DRONE"

// process is a line of the process table.
type process struct {
	pid, parent, group int
	session            int
	zombie             bool
	start              uint64 // clock ticks since the boot; with the pid it names a process for ever
}

// Find returns the living processes whose mark begins with prefix, and those of
// the users uids that have no mark, because they removed it.
func Find(prefix string, uids ...uint32) ([]int, error) {
	return living(func(p process) bool {
		m := mark(p.pid)
		return strings.HasPrefix(m, prefix) || m == "" && len(uids) > 0 && ownedBy(p.pid, uids)
	})
}

// FindUnmarked returns the living processes of these users that have no mark.
func FindUnmarked(uids ...uint32) ([]int, error) {
	return living(func(p process) bool { return ownedBy(p.pid, uids) && mark(p.pid) == "" })
}

// ownedBy reports whether a process belongs to one of these users.
func ownedBy(pid int, uids []uint32) bool {
	info, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid)))
	if err != nil {
		return false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && slices.Contains(uids, owner.Uid)
}

func living(match func(process) bool) ([]int, error) {
	table, err := scan()
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, p := range table {
		if !p.zombie && match(p) {
			pids = append(pids, p.pid)
		}
	}
	return pids, nil
}

// scan reads the process table. What ends while it reads is left out.
func scan() ([]process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	names, err := dir.Readdirnames(-1)
	if closeErr := dir.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	var table []process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, ok := inspect(pid); ok {
			table = append(table, p)
		}
	}
	return table, nil
}

// inspect reads a process; ok is false if it has ended.
func inspect(pid int) (p process, ok bool) {
	stat, err := readProc(pid, "stat")
	if err != nil {
		return process{}, false
	}
	return parseStat(pid, stat)
}

// Ended reports whether a process has ended, whether its parent has noticed or not.
func Ended(pid int) bool {
	p, ok := inspect(pid)
	return !ok || p.zombie
}

// readProc reads a file of a process in /proc, which is most of the work of reading the
// process table. os.ReadFile takes twice the time: it asks for the size of each file, and
// the poller to watch it.
func readProc(pid int, name string) ([]byte, error) {
	fd, err := unix.Open(filepath.Join("/proc", strconv.Itoa(pid), name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }()
	text := make([]byte, 0, 1<<10)
	for {
		n, err := unix.Read(fd, text[len(text):cap(text)])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, err
		case n == 0:
			return text, nil
		default:
			text = slices.Grow(text[:len(text)+n], 1)
		}
	}
}

// parseStat reads the fields of proc_pid_stat(5). The second is the command's
// name in parentheses and may itself hold spaces and parentheses.
func parseStat(pid int, stat []byte) (process, bool) {
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return process{}, false
	}
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) < 20 {
		return process{}, false
	}
	p := process{pid: pid}
	// A process whose first thread has exited looks like a zombie while others run, and
	// can't be waited for.
	p.zombie = (fields[0] == "Z" || fields[0] == "X") && (fields[17] == "1" || fields[17] == "0")
	var err error
	if p.start, err = strconv.ParseUint(fields[19], 10, 64); err != nil {
		return process{}, false
	}
	if p.parent, err = strconv.Atoi(fields[1]); err != nil {
		return process{}, false
	}
	if p.group, err = strconv.Atoi(fields[2]); err != nil {
		return process{}, false
	}
	if p.session, err = strconv.Atoi(fields[3]); err != nil {
		return process{}, false
	}
	return p, true
}

// mark returns the value of [Variable] that the process was started with; ""
// if it has none, has ended, or is not accessible.
func mark(pid int) string {
	environ, err := readProc(pid, "environ")
	if err != nil {
		return ""
	}
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if value, ok := bytes.CutPrefix(entry, []byte(Variable+"=")); ok {
			return string(value)
		}
	}
	return ""
}
