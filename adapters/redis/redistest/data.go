package redistest

import (
	"bufio"
	"bytes"
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

// Tear removes the end of the append-only file, after a Kill, as if the server had been
// killed within its last write: of the last transaction the first half is left.
func (s *Server) Tear() {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "appendonlydir", "*.incr.aof"))
	if err != nil || len(files) != 1 {
		s.t.Fatalf("append-only files %v, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		s.t.Fatal(err)
	}
	start := bytes.LastIndex(text, []byte("\r\nMULTI\r\n"))
	if start < 0 {
		s.t.Fatal("the append-only file has no transaction")
	}
	if err := os.Truncate(files[0], int64(start+len(text))/2); err != nil {
		s.t.Fatal(err)
	}
}

// Rewritten waits until the server, after a Restart, has rewritten its append-only
// file, which a store requests. Before that, a Kill may bring back a half of a
// transaction that another Kill cut off.
func (s *Server) Rewritten() {
	s.t.Helper()
	until(s.t, func() string {
		info, err := s.ask("INFO", "persistence")
		if err != nil {
			return err.Error()
		}
		if strings.Contains(info, "aof_rewrites:0") || !strings.Contains(info, "aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0") {
			return "the append-only file is rewritten"
		}
		return ""
	})
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
