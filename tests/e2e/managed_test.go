package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core/coretest/leftovers"
)

// managed is a server whose process is replaced while its listening socket stays
// open, as by a service manager.
type managed struct {
	t       *testing.T
	data    string
	log     string // file with its output
	program string
	addr    string   // of the API and the apps
	socket  *os.File // the listening socket; nil: the server opens it
	flags   []string

	cmd    *exec.Cmd
	exited chan struct{}
	starts int
}

func manage(t *testing.T, held bool, flags ...string) *managed {
	t.Helper()
	dir, err := os.MkdirTemp("", "webhooks-e2e-") //nolint:usetesting // the users of apps need access to it
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	m := &managed{t: t, data: filepath.Join(dir, "data"), log: filepath.Join(dir, "log"), program: program, addr: "127.0.0.1:0", flags: flags}
	t.Cleanup(func() {
		if err := errors.Join(leftovers.Kill(dir), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	if held {
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		m.addr = listener.Addr().String()
		if tcp, ok := listener.(*net.TCPListener); ok {
			m.socket, err = tcp.File()
		}
		if err := errors.Join(err, listener.Close()); err != nil { // the file keeps it open
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.socket.Close() })
	}
	m.start()
	cmd := exec.CommandContext(t.Context(), m.program, "users", "add", user, "--new-password-file", "-", "--data", m.data)
	cmd.Stdin = strings.NewReader(password + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return m
}

// start starts the server, and returns when it is ready.
func (m *managed) start() {
	m.t.Helper()
	args := append([]string{
		// SIGHUP may be ignored by what runs the tests, such as nohup.
		"-c", `export LISTEN_PID=$$; exec env --default-signal=HUP "$0" "$@"`, m.program,
		"serve", "--data", m.data, "--listen", m.addr, "--platform-listen", "127.0.0.1:0", "--ready-timeout", patience.String(), "--min-ready-time", "100ms",
	}, m.flags...)
	m.cmd = exec.CommandContext(context.WithoutCancel(m.t.Context()), "/bin/sh", args...) //nolint:gosec // the program under test
	out, err := os.OpenFile(m.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		m.t.Fatal(err)
	}
	defer out.Close() //nolint:errcheck // the server has its own
	m.cmd.Stdout, m.cmd.Stderr = out, out
	if m.socket != nil {
		m.cmd.ExtraFiles = []*os.File{m.socket}
		m.cmd.Env = append(os.Environ(), "LISTEN_FDS=1")
	}
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	exited := make(chan struct{})
	m.exited = exited
	go func() {
		_ = m.cmd.Wait()
		close(exited)
	}()
	m.started()
}

// started waits until one more process is ready.
func (m *managed) started() {
	m.t.Helper()
	m.starts++
	eventually(m.t, "the server is ready", func() bool {
		lines := 0
		for line := range strings.Lines(m.output()) {
			if rest, ok := strings.CutPrefix(line, "webhooks http://"); ok && strings.HasSuffix(line, "\n") {
				lines++
				m.addr = strings.TrimSpace(rest)
			}
		}
		if strings.Contains(m.output(), "\nwebhooks: ") || strings.HasPrefix(m.output(), "webhooks: ") { // it has ended
			m.t.Fatalf("the server did not start: %s", m.output())
		}
		return lines >= m.starts
	}, m.output)
}

func (m *managed) output() string {
	text, err := os.ReadFile(m.log)
	if err != nil {
		m.t.Error(err)
	}
	return string(text)
}

// end ends the process by a signal.
func (m *managed) end(signal syscall.Signal) {
	m.t.Helper()
	if err := m.cmd.Process.Signal(signal); err != nil {
		m.t.Fatal(err)
	}
	select {
	case <-m.exited:
	case <-time.After(patience):
		m.t.Fatalf("the server did not end: %s", m.output())
	}
}

// deploy deploys an app with this code.
func (m *managed) deploy(name, code string) {
	m.t.Helper()
	dir := m.t.TempDir()
	for file, text := range map[string]string{"package.json": packageJSON(name), "index.js": code} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(m.t.Context(), m.program, "deploy", dir, "--user", user, "--to", "http://"+m.addr+"/platform")
	cmd.Env = append(os.Environ(), "WEBHOOKS_PASSWORD="+password)
	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("%v\n%s\n%s", err, out, m.output())
	}
}

// logged returns the lines of an app's log.
func (m *managed) logged(app string) (lines []string) {
	m.t.Helper()
	dir := filepath.Join(m.data, "platform", "drones", "logs", user, app)
	for n := 9; n >= 0; n-- {
		name := "log"
		if n > 0 {
			name = "log." + strconv.Itoa(n)
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			var parsed struct{ Text string }
			if json.Unmarshal([]byte(line), &parsed) == nil {
				lines = append(lines, parsed.Text)
			}
		}
	}
	return lines
}

// sent is a request of the load.
type sent struct {
	app        string
	begun, end time.Time
	upgraded   bool // it became a WebSocket
	err        error
}

// load sends requests to the apps, one app after the other, until the context ends.
func (m *managed) load(ctx context.Context) (results func() []sent) {
	addr := m.addr
	var mu sync.Mutex
	var all []sent
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(time.Second / time.Duration(*requestRate))
		defer ticker.Stop()
		for i := 0; ; i++ {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
			running.Go(func() {
				r := sent{app: []string{"plain", "stream", "socket"}[i%3], begun: time.Now()}
				r.upgraded, r.err = once(context.WithoutCancel(ctx), addr, r.app)
				r.end = time.Now()
				mu.Lock()
				defer mu.Unlock()
				all = append(all, r)
			})
		}
	})
	return func() []sent {
		running.Wait()
		return all
	}
}

// once sends one request on a connection of its own.
func once(ctx context.Context, addr, app string) (upgraded bool, err error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false, err
	}
	defer conn.Close() //nolint:errcheck // the exchange has ended
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return false, err
	}
	header := "Connection: close"
	if app == "socket" {
		header = "Connection: Upgrade\r\nUpgrade: echo"
	}
	if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s.localhost\r\n%s\r\n\r\n", app, header); err != nil {
		return false, err
	}
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, nil)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if app == "socket" && resp.StatusCode == http.StatusSwitchingProtocols {
		if _, err := io.WriteString(conn, "hello\n"); err != nil {
			return true, err
		}
		got, err := reader.ReadString('\n')
		if err == nil && got != "hello\n" {
			err = fmt.Errorf("the echo is %q", got)
		}
		return true, err
	}
	body, err := io.ReadAll(resp.Body)
	want := map[string]string{"plain": "plain", "stream": "part 1\npart 2\npart 3\npart 4\npart 5\nend"}[app]
	if err == nil && (resp.StatusCode != http.StatusOK || string(body) != want) {
		err = fmt.Errorf("got %d %q", resp.StatusCode, body)
	}
	return false, err
}

// process waits until there is one process of the server, and returns its number.
func (m *managed) process() (pid int) {
	m.t.Helper()
	eventually(m.t, "there is one process", func() bool {
		found := m.processes()
		if len(found) == 1 {
			pid = found[0]
		}
		return len(found) == 1
	}, m.output)
	return pid
}

// processes returns the numbers of the processes of the server.
func (m *managed) processes() (pids []int) {
	m.t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		m.t.Fatal(err)
	}
	for _, path := range found {
		text, _ := os.ReadFile(path) //nolint:gosec // it may have ended
		if strings.Contains(string(text), "\x00serve\x00--data\x00"+m.data+"\x00") {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				m.t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}
