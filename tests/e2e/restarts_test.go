package e2e

import (
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/tests/internal/built"
)

//nolint:gochecknoglobals // flags of the test
var (
	restartCount = flag.Int("restarts", 5, "how many times TestAppsOutliveTheServer restarts the server")
	upgradeCount = flag.Int("upgrades", 2, "how many times it replaces the program by another build")
	killCount    = flag.Int("kills", 3, "how many times it kills the server")
	requestRate  = flag.Int("rate", 30, "requests a second meanwhile")
)

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

// A SIGHUP to a process that ends, as its successor waits for that, has no effect, and
// one to the successor takes effect when that has started.
func TestHangupAgain(t *testing.T) {
	t.Parallel()
	h := github(t)
	m := manage(t, false, h.flags("--wait", patience.String(), "--shutdown-timeout", patience.String())...)
	s := &server{t: t, role: "serve", api: "http://" + m.addr}
	repo := h.repository("hangup")
	// The deployment goes on until the app, when it starts, is answered.
	arrived, released := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	door := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-released
	}))
	defer door.Close()
	defer release()
	commit := repo.commit("first", map[string]string{"package.json": packageJSON("hangup"), "index.js": `
require('node:http').get('` + door.URL + `', () => require('node:http').createServer((q, r) => r.end()).listen(process.env.PORT));
`})
	answers := make(chan answer, 1)
	go func() {
		defer close(answers)
		response := s.open(t.Context(), repo.delivery(t, commit, "one", nil))
		defer response.Body.Close() //nolint:errcheck // only read
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Error(err)
		}
		answers <- answer{response.StatusCode, response.Header, string(body)}
	}()
	<-arrived
	hangUp := func(pid int) {
		t.Helper()
		if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
			t.Fatalf("%v; the log: %s", err, m.output())
		}
	}
	old := m.process()
	hangUp(old)
	pending := (<-answers).change(t, 202, "pending") // by the stop, so the successor waits
	hangUp(old)
	both := m.processes()
	next := slices.IndexFunc(both, func(pid int) bool { return pid != old })
	if len(both) != 2 || next < 0 {
		t.Fatalf("got the processes %v, of which %d is the first; the log: %s", both, old, m.output())
	}
	hangUp(both[next])
	release()
	<-m.exited
	if code := m.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d; the log: %s", code, m.output())
	}
	m.started() // the successor
	m.started() // and its own
	if last := m.process(); slices.Contains(both, last) {
		t.Errorf("process %d was not replaced; before there were %v", last, both)
	}
	id, _ := pending["id"].(string)
	s.outcome(id, "ok")
}
