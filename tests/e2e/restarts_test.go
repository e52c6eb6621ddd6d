package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
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
	"github.com/nodejitsu/webhooks/tests/internal/built"
)

//nolint:gochecknoglobals // flags of the test
var (
	restartCount = flag.Int("restarts", 5, "how many times TestAppsOutliveTheServer restarts the server")
	upgradeCount = flag.Int("upgrades", 2, "how many times it replaces the program by another build")
	killCount    = flag.Int("kills", 3, "how many times it kills the server")
	requestRate  = flag.Int("rate", 30, "requests a second meanwhile")
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
	cmd := exec.CommandContext(t.Context(), m.program, "users", "add", user, "--password-stdin", "--data", m.data)
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

// counting begins each app: it logs that it was started, and then numbers.
const counting = `console.log('started ' + process.pid);
let n = 0;
setInterval(() => console.log('line ' + ++n), 20);
process.on('SIGTERM', () => process.exit());
`

// The apps of TestAppsOutliveTheServer.
//
//nolint:gochecknoglobals // a table
var outliving = map[string]string{
	"plain": counting + `require('http').createServer((q, s) => s.end('plain')).listen(process.env.PORT);`,
	"stream": counting + `require('http').createServer((q, s) => {
		let parts = 0;
		const timer = setInterval(() => {
			s.write('part ' + ++parts + '\n');
			if (parts == 5) { clearInterval(timer); s.end('end'); }
		}, 10);
	}).listen(process.env.PORT);`,
	"socket": counting + `require('http').createServer().on('upgrade', (q, socket) => {
		socket.on('error', () => {});
		socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
		socket.pipe(socket);
	}).listen(process.env.PORT);`,
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

// period is the time in which a process ended.
type period struct {
	from, to time.Time
	killed   bool
}

// excuses reports whether a request may have failed because a process ended that had
// accepted its connection: one that was killed, or any if it is a WebSocket. No
// connection may be refused.
func (p period) excuses(r sent) bool {
	return (p.killed || r.app == "socket") && !errors.Is(r.err, syscall.ECONNREFUSED) && r.begun.Before(p.to) && r.end.After(p.from)
}

// Restarts, upgrades and crashes of the server end no app, lose no line of a log,
// start nothing twice, and refuse no connection. What breaks off with a process are
// WebSockets, and, if it is killed, the requests that it was answering.
func TestAppsOutliveTheServer(t *testing.T) {
	t.Parallel()
	m := manage(t, true, "--apps-on-stop", "keep")
	other := filepath.Join(filepath.Dir(m.data), "other")
	if err := built.Version(t.Context(), other, "2.0.0"); err != nil {
		t.Fatal(err)
	}
	for app, code := range outliving {
		m.deploy(app, code)
	}
	ctx, stopLoad := context.WithCancel(t.Context())
	defer stopLoad()
	results := m.load(ctx)
	var periods []period
	again := func(signal syscall.Signal) {
		p := period{from: time.Now(), killed: signal == syscall.SIGKILL}
		m.end(signal)
		p.to = time.Now()
		periods = append(periods, p)
		m.start()
		for app := range outliving { // some requests meanwhile
			if _, err := once(ctx, m.addr, app); err != nil {
				t.Errorf("%s: %v", app, err)
			}
		}
	}
	for range *restartCount {
		again(syscall.SIGTERM)
	}
	for range *upgradeCount {
		m.program, other = other, m.program
		again(syscall.SIGTERM)
	}
	for range *killCount {
		again(syscall.SIGKILL)
	}
	stopLoad()
	m.check(results(), periods)

	// They end if that is wanted.
	m.end(syscall.SIGTERM)
	if out, err := exec.CommandContext(t.Context(), m.program, "admin", "end-apps", "--data", m.data).CombinedOutput(); err != nil {
		t.Errorf("end-apps: %v\n%s", err, out)
	}
	if left, err := os.ReadDir(filepath.Join(m.data, "platform", "drones", "keepers")); err != nil || len(left) > 0 {
		t.Errorf("keepers that are left: %v, %v", left, err)
	}
}

// check checks what was requested and logged.
func (m *managed) check(all []sent, periods []period) {
	m.t.Helper()
	lost, broken := 0, 0
	for _, r := range all {
		excused := false
		for _, p := range periods {
			excused = excused || p.excuses(r)
		}
		switch {
		case r.err == nil:
		case excused:
			broken++
		default:
			lost++
			m.t.Errorf("request to %s from %s to %s: %v", r.app, r.begun.Format(time.StampMicro), r.end.Format(time.StampMicro), r.err)
		}
	}
	lines := 0
	for app := range outliving {
		started, want := 0, 0
		for _, line := range m.logged(app) {
			if strings.HasPrefix(line, "started ") {
				started++
			}
			if n, ok := strings.CutPrefix(line, "line "); ok {
				if want++; n != strconv.Itoa(want) {
					m.t.Fatalf("%s: after line %d comes line %s", app, want-1, n)
				}
			}
		}
		lines += want
		if started != 1 || want == 0 {
			m.t.Errorf("%s: started %d times, %d lines", app, started, want)
		}
	}
	m.t.Logf("%d requests, lost %d, broken off with the server %d; %d ends of the server; %d lines of logs, all there", len(all), lost, broken, len(periods), lines)
	if m.t.Failed() {
		m.t.Logf("log of the server:\n%s", m.output())
	}
}

// Without a service manager, SIGHUP replaces the server by a successor, which has
// its sockets.
func TestHangupReplacesTheServer(t *testing.T) {
	t.Parallel()
	m := manage(t, false)
	for app, code := range outliving {
		m.deploy(app, code)
	}
	ctx, stopLoad := context.WithCancel(t.Context())
	defer stopLoad()
	results := m.load(ctx)
	var periods []period
	addr := m.addr
	for range 3 {
		server := m.process()
		p := period{from: time.Now()}
		if err := syscall.Kill(server, syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		m.started()
		p.to = time.Now()
		periods = append(periods, p)
		if m.addr != addr {
			t.Errorf("it is at %s, before at %s", m.addr, addr)
		}
		if next := m.process(); next == server {
			t.Error("the process is the same")
		}
	}
	stopLoad()
	m.check(results(), periods)
	// A stop ends the apps as before.
	if err := syscall.Kill(m.process(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no keeper is left", func() bool {
		left, err := os.ReadDir(filepath.Join(m.data, "platform", "drones", "keepers"))
		return err == nil && len(left) == 0
	}, m.output)
}

// process waits until there is one process of the server, and returns its number.
func (m *managed) process() (pid int) {
	m.t.Helper()
	eventually(m.t, "there is one process", func() bool {
		found, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			m.t.Fatal(err)
		}
		n := 0
		for _, path := range found {
			text, _ := os.ReadFile(path) //nolint:gosec // it may have ended
			if strings.Contains(string(text), "\x00serve\x00--data\x00"+m.data+"\x00") {
				n++
				pid, _ = strconv.Atoi(filepath.Base(filepath.Dir(path)))
			}
		}
		return n == 1
	}, m.output)
	return pid
}
