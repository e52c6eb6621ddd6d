package apps

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// process is one of the machine's.
type process struct {
	pid    int
	start  string // when, in clock ticks: with the pid it names a process for good
	zombie bool
	args   string
	dir    string // where it works
}

// processes returns those that work in the built folder of a snapshot; "" is
// all snapshots of the app.
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
		// "… (deleted)" where the folder is gone; unreadable where the process is.
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

// read reads what there is to know, the folder apart; false if it is gone.
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

// left returns which of the processes are there still, zombies among them.
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
