package apps

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// process is a process of the machine.
type process struct {
	pid    int
	start  string // time of the start in clock ticks: unique together with the pid
	zombie bool
	args   string
	dir    string // where it works
}

// processes returns the processes that work in the folder of a snapshot, or of any
// snapshot of the app if it is "".
func (a *app) processes(snapshot string) []process {
	a.t.Helper()
	dir := filepath.Join(a.s.data, "platform", "builds", user, a.name, snapshot)
	entries, err := os.ReadDir("/proc")
	if err != nil {
		a.t.Fatal(err)
	}
	var found []process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// "… (deleted)" if the folder is gone; unreadable if the process is.
		at, err := os.Readlink(filepath.Join("/proc", entry.Name(), "cwd"))
		if err == nil && strings.HasPrefix(at+"/", dir+"/") || strings.HasPrefix(at, dir+" ") {
			p := process{pid: pid, dir: at}
			if p.read() {
				found = append(found, p)
			}
		}
	}
	return found
}

// read reads all fields but the folder. It returns false if the process is gone.
func (p *process) read() bool {
	dir := filepath.Join("/proc", strconv.Itoa(p.pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat")) //nolint:gosec // a number
	if err != nil {
		return false
	}
	args, err := os.ReadFile(filepath.Join(dir, "cmdline")) //nolint:gosec // a number
	// proc_pid_stat(5): after the name, in parentheses, come the state, which is
	// the third field, and the others; when the process started is the 22nd.
	after := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if err != nil || len(after) < 20 {
		return false
	}
	p.start, p.zombie, p.args = after[19], after[0] == "Z", strings.TrimSpace(strings.ReplaceAll(string(args), "\x00", " "))
	return true
}

// left returns which of the processes still exist, including zombies.
func left(were []process) []process {
	var found []process
	for _, p := range were {
		if now := (process{pid: p.pid}); now.read() && now.start == p.start {
			p.zombie = now.zombie
			found = append(found, p)
		}
	}
	return found
}
