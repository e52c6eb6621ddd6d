package redistest

import (
	"bufio"
	"context"
	"math/rand/v2"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a redis-server on a port of 127.0.0.1, with a folder of its own.
// It ends with the test.
type Server struct {
	Addr string // host:port; stays the same over restarts

	t    testing.TB
	kind kind
	bus  string // host:port at which the nodes of a Cluster talk to each other
	dir  string
	args []string
	cmd  *exec.Cmd
	idle bool          // between Pause and Resume
	done chan struct{} // closed when the process has ended
}

// Start starts a server that is persistent, as in production: appendonly, and no
// eviction. args are added to its command line.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return startServer(t, alone, args...)
}

// kind is the role of a process of redis-server.
type kind int

const (
	alone    kind = iota // or a master, or a replica
	node                 // of a Cluster
	sentinel             // its arguments are host and port of the master
)

func startServer(t testing.TB, k kind, args ...string) *Server {
	t.Helper()
	s := &Server{t: t, kind: k, dir: t.TempDir(), args: args}
	t.Cleanup(s.Kill)
	// Another process may use the port meanwhile; then another port is tried.
	for range 10 {
		s.Addr, s.bus = FreeAddr(t), FreeAddr(t)
		if s.start() {
			return s
		}
	}
	t.Fatal("redis-server did not start")
	return nil
}

// FreeAddr returns an address of 127.0.0.1 that is not in use. Its port is below
// those that Linux chooses for outgoing connections, so that none of them uses it
// between a Kill and a Restart.
func FreeAddr(t testing.TB) string {
	t.Helper()
	var err error
	for range 100 {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(10_000+rand.IntN(22_000))) //nolint:gosec // not a secret
		var l net.Listener
		if l, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", addr); err == nil {
			_ = l.Close() // it was never used
			return addr
		}
	}
	t.Fatal(err)
	return ""
}

// start reports whether the server accepts connections.
func (s *Server) start() bool {
	s.t.Helper()
	select {
	case ready := <-s.run(s.commandLine()...):
		return ready
	case <-time.After(patience):
		s.t.Fatalf("redis-server did not become ready within %s", patience)
		return false
	}
}

// run runs redis-server, and returns a channel that receives true when it
// accepts connections, or false when it has ended before.
func (s *Server) run(args ...string) <-chan bool {
	s.t.Helper()
	// It outlives the test's context, so that Kill can wait for it.
	s.cmd = exec.CommandContext(context.WithoutCancel(s.t.Context()), "redis-server", args...) //nolint:gosec // the arguments are a test's
	output, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("%v; install Debian's package redis-server, or run ./tools/test.sh, which does", err)
	}
	s.done = make(chan struct{})
	ready := make(chan bool, 1)
	go func(cmd *exec.Cmd, done chan struct{}) {
		defer close(done)
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "Ready to accept connections") || strings.Contains(lines.Text(), "Sentinel ID is") {
				ready <- true
				break
			}
		}
		for lines.Scan() { // the server must not block on its output
		}
		_ = cmd.Wait() // killed, mostly
		select {
		case ready <- false:
		default:
		}
	}(s.cmd, s.done)
	return ready
}

func (s *Server) commandLine() []string {
	s.t.Helper()
	args := []string{"--port", port(s.t, s.Addr), "--bind", "127.0.0.1", "--dir", s.dir, "--daemonize", "no", "--logfile", ""}
	if s.kind == sentinel {
		return append([]string{s.sentinelFile(), "--sentinel"}, args...)
	}
	args = append(args, "--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction")
	if s.kind == node {
		args = append(args, "--cluster-enabled", "yes", "--cluster-port", port(s.t, s.bus))
	}
	return append(args, s.args...)
}

func port(t testing.TB, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Pid returns the id of the process.
func (s *Server) Pid() int { return s.cmd.Process.Pid }

// Kill ends the process as a crash does, and waits until it is gone.
func (s *Server) Kill() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may be gone already
	<-s.done
}

// Restart starts the server again on the same port and folder, after a Kill.
func (s *Server) Restart() {
	s.t.Helper()
	until(s.t, func() (missing string) {
		if !s.start() {
			return "redis-server does not start again"
		}
		return ""
	})
	if s.kind == sentinel {
		s.hasten()
	}
}

// RestartLoading kills the server and starts it again so that it loads its data
// until "CONFIG SET key-load-delay 0".
func (s *Server) RestartLoading() {
	s.t.Helper()
	s.Do("EVAL", "for i = 1, 20000 do redis.call('SET', 'load' .. i, i) end", "0")
	s.Do("BGREWRITEAOF") // only a snapshot is loaded with a delay
	until(s.t, func() string {
		if strings.Contains(s.Do("INFO", "persistence"), "aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0") {
			return ""
		}
		return "the append-only file is rewritten"
	})
	s.Kill()
	s.run(append(s.commandLine(), "--key-load-delay", "5000", "--loading-process-events-interval-bytes", "1024")...)
	until(s.t, func() string {
		if answer, _ := s.ask("PING"); strings.Contains(answer, "LOADING") {
			return ""
		}
		return "redis-server loads its data"
	})
}

// Pause stops the process until Resume.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP); s.idle = true }

// Resume ends a Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT); s.idle = false }

func (s *Server) signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

// AlsoTLS makes the server listen on a second port for TLS, with the certificate in
// its arguments, and returns that address.
func (s *Server) AlsoTLS() string {
	s.t.Helper()
	for range 10 {
		addr := FreeAddr(s.t)
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			s.t.Fatal(err)
		}
		if s.Do("CONFIG", "SET", "tls-port", port) == "OK" {
			return addr
		}
	}
	s.t.Fatal("redis-server found no port for TLS")
	return ""
}

// Do sends one command, such as "CONFIG SET maxmemory 1", and returns the first
// line of the answer.
func (s *Server) Do(words ...string) string {
	s.t.Helper()
	answer, err := s.ask(words...)
	if err != nil {
		s.t.Fatalf("redis-cli %s: %v\n%s", strings.Join(words, " "), err, answer)
	}
	return answer
}

// ask is Do for a server that may be down. It fails if there is no answer within some
// seconds.
func (s *Server) ask(words ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "redis-cli", append([]string{"-u", "redis://" + s.Addr}, words...)...).CombinedOutput() //nolint:gosec // a test says what
	return strings.TrimSpace(string(out)), err
}

// do is Do for a command that is answered with OK.
func (s *Server) do(words ...string) {
	s.t.Helper()
	if answer := s.Do(words...); answer != "OK" {
		s.t.Fatalf("%s: %s", strings.Join(words, " "), answer)
	}
}

// patience limits waiting for what must happen. It is so long that only a hang
// reaches it.
const patience = 10 * time.Minute

// until polls until the condition is met, and fails the test if it never is. missing
// describes what is missing.
func until(t testing.TB, is func() (missing string)) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		missing := is()
		if missing == "" {
			return
		}
		select {
		case <-again.C:
		case <-deadline.C:
			t.Fatalf("not within %s: %s", patience, missing)
		}
	}
}
