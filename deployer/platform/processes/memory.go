package processes

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Memory implements runner.Runner.
func (r *Runner) Memory(user, app string) int64 {
	a := r.known(user, app)
	if a == nil {
		return 0
	}
	var drones []*drone
	a.mu.Lock()
	for _, g := range []*generation{a.current, a.former} {
		if g == nil {
			continue
		}
		for _, sl := range g.slots {
			if sl.drone != nil {
				drones = append(drones, sl.drone)
			}
		}
	}
	a.mu.Unlock()
	var sum int64
	for _, d := range drones {
		pids, err := d.group.Members()
		if err != nil {
			continue
		}
		for _, pid := range pids {
			sum += resident(pid)
		}
	}
	return sum
}

// resident returns how much memory of a process is in RAM, in bytes, as
// proc_pid_statm(5) has it; 0 if the process has ended.
func resident(pid int) int64 {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "statm"))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
