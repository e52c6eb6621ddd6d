package processes

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// elsewhere describes on which ports the drone listens instead of its own, as the
// predicate of a sentence, or is "" if on none.
func (d *drone) elsewhere() string {
	pids, err := d.group.Members()
	if err != nil {
		return ""
	}
	found := listening(pids)
	switch len(found) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("listens on port %d instead of $PORT (%d)", found[0], d.port)
	}
	names := make([]string, len(found))
	for i, port := range found {
		names[i] = strconv.Itoa(port)
	}
	return fmt.Sprintf("listens on ports %s instead of $PORT (%d)", strings.Join(names, ", "), d.port)
}

// listening returns the TCP ports that one of the processes listens on, in order.
func listening(pids []int) []int {
	var found []int
	for _, pid := range pids {
		process := filepath.Join("/proc", strconv.Itoa(pid))
		sockets := socketsOf(process)
		if len(sockets) == 0 {
			continue
		}
		for _, table := range []string{"tcp", "tcp6"} {
			for inode, port := range listeners(filepath.Join(process, "net", table)) {
				if sockets[inode] && !slices.Contains(found, port) {
					found = append(found, port)
				}
			}
		}
	}
	slices.Sort(found)
	return found
}

// listeners reads a table of sockets, as proc_pid_net(5) describes it, and returns
// the port of each that listens by its inode.
func listeners(table string) map[string]int {
	file, err := os.Open(table) //nolint:gosec // below /proc
	if err != nil {
		return nil
	}
	defer file.Close() //nolint:errcheck // only read
	const localAddress, state, inode, listen = 1, 3, 9, "0A"
	ports := map[string]int{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) <= inode || fields[state] != listen {
			continue
		}
		_, digits, _ := strings.Cut(fields[localAddress], ":")
		if port, err := strconv.ParseUint(digits, 16, 16); err == nil {
			ports[fields[inode]] = int(port)
		}
	}
	return ports
}

// socketsOf returns the inodes of the sockets of a process, by its folder in /proc.
func socketsOf(process string) map[string]bool {
	dir := filepath.Join(process, "fd")
	fds, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	sockets := map[string]bool{}
	for _, fd := range fds {
		target, err := os.Readlink(filepath.Join(dir, fd.Name()))
		if inode, ok := strings.CutPrefix(target, "socket:["); err == nil && ok {
			sockets[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return sockets
}
