package redistest

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Wipe removes the server's data, after a Kill, as if the disk was lost.
func (s *Server) Wipe() {
	s.t.Helper()
	kept, err := os.ReadDir(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, k := range kept {
		if err := os.RemoveAll(filepath.Join(s.dir, k.Name())); err != nil {
			s.t.Fatal(err)
		}
	}
}

// Keys returns all keys of the server, in any order.
func (s *Server) Keys() []string {
	s.t.Helper()
	all := s.Do("--scan")
	if all == "" {
		return nil
	}
	return strings.Split(all, "\n")
}

// Monitor records the commands that a server receives.
type Monitor struct {
	t     testing.TB
	s     *Server
	lines *bufio.Scanner
}

// StartMonitor starts a Monitor.
func (s *Server) StartMonitor(t testing.TB) *Monitor {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	stop := context.AfterFunc(t.Context(), func() { _ = conn.Close() }) // ends the reading
	t.Cleanup(func() { stop(); _ = conn.Close() })
	if _, err := conn.Write([]byte("MONITOR\r\n")); err != nil {
		t.Fatal(err)
	}
	m := &Monitor{t: t, s: s, lines: bufio.NewScanner(conn)}
	m.lines.Buffer(nil, 1<<20)
	if !m.lines.Scan() || m.lines.Text() != "+OK" {
		t.Fatalf("MONITOR: %q, %v", m.lines.Text(), m.lines.Err())
	}
	return m
}

// Said returns the commands of clients, without those of scripts, since it
// began or Said was called last, each as MONITOR shows it behind the address.
func (m *Monitor) Said() []string {
	m.t.Helper()
	const mark = "that-was-it"
	m.s.Do("ECHO", mark)
	var all []string
	for m.lines.Scan() {
		about, command, _ := strings.Cut(m.lines.Text(), "] ")
		if strings.Contains(command, mark) {
			return all
		}
		if !strings.HasSuffix(about, " lua") {
			all = append(all, command)
		}
	}
	m.t.Fatalf("MONITOR ended: %v", m.lines.Err())
	return nil
}

// StartOnSmallDisk starts a server whose files can be limited: see LimitFiles.
func StartOnSmallDisk(t testing.TB, args ...string) *Server {
	t.Helper()
	// The server inherits the ignored signal, so that a write beyond the limit fails,
	// as on a full disk, instead of ending the process.
	signal.Ignore(syscall.SIGXFSZ)
	return Start(t, args...)
}

// LimitFiles makes writes fail that extend a file of the server beyond that many
// bytes; 0 removes the limit.
func (s *Server) LimitFiles(bytes int) {
	s.t.Helper()
	limit := "unlimited"
	if bytes > 0 {
		limit = strconv.Itoa(bytes)
	}
	pid := strconv.Itoa(s.cmd.Process.Pid)
	out, err := exec.CommandContext(s.t.Context(), "prlimit", "--pid", pid, "--fsize="+limit+":").CombinedOutput() //nolint:gosec // numbers of ours
	if err != nil {
		s.t.Fatalf("prlimit: %v\n%s", err, out)
	}
}
