// Package runnertest is the conformance suite of package runner: each runner must
// pass it.
package runnertest

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// Harness creates what the suite tests.
type Harness struct {
	// New returns a Runner that was started, and is stopped when the test ends. It
	// calls crashed for each crash, and its pauses begin with a few milliseconds.
	New func(t *testing.T, crashed func(runner.Crash)) runner.Runner
	// Version returns a version of the app me/app with one drone, whose code is
	// js, for the Runner that New returned in that test.
	Version func(t *testing.T, snapshot, js string) runner.Version
}

// patience is how long something may take that must happen.
const patience = time.Minute

// app answers with ANSWER and what identifies its process; it exits, or goes on
// without its port, if it is asked to, or has a worker stop.
const app = `
const life = Math.random().toString(36).slice(2);
const server = require('http').createServer((req, res) => {
  switch (req.url) {
    case '/exit': return res.end('bye', () => { console.error('no database'); process.exit(3); });
    case '/stop': require('fs').writeFileSync(process.env.DATA_DIR + '/stop', ''); return res.end('bye');
    case '/close': setInterval(() => {}, 1000); res.end('bye'); return server.close();
    default: res.end((process.env.ANSWER || 'none') + ' ' + life);
  }
}).listen(process.env.PORT, () => console.log('listening'));
process.on('SIGTERM', () => process.exit(0));
`

// Test runs the suite.
func Test(t *testing.T, h Harness) {
	t.Helper()
	for name, test := range map[string]func(*fixture){
		"launch beside what runs":      launchBeside,
		"abort":                        abort,
		"abort of the first version":   abortFirst,
		"a version that does not run":  launchFails,
		"prove":                        prove,
		"prove a version that crashes": proveCrash,
		"prove a version that is deaf": proveDeaf,
		"prove until the context ends": proveCancelled,
		"refused connection":           refused,
		"standby":                      standby,
		"standby that is not needed":   standbyEnds,
		"crash":                        crash,
		"lost port":                    lostPort,
		"drones":                       drones,
		"sticky":                       sticky,
		"halt and destroy":             haltAndDestroy,
		"resume":                       resume,
		"logs":                         lines,
		"unknown app":                  unknown,
		"processes":                    processes,
		"process that crashes":         processCrash,
		"only processes":               onlyProcesses,
		"data":                         data,
		"static site":                  static,
		"command":                      command,
		"command that is ended":        commandEnded,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fixture{t: t, h: h, crashes: make(chan runner.Crash, 1000)}
			f.Runner = h.New(t, func(c runner.Crash) { f.crashes <- c })
			test(f)
		})
	}
}

// fixture is a Runner under test.
type fixture struct {
	runner.Runner
	t       *testing.T
	h       Harness
	crashes chan runner.Crash
}

// version returns a version that answers with its snapshot's id.
func (f *fixture) version(snapshot string) runner.Version {
	f.t.Helper()
	v := f.h.Version(f.t, snapshot, app)
	v.Env = map[string]string{"ANSWER": snapshot}
	return v
}

// launch launches a version, which has to get ready.
func (f *fixture) launch(v runner.Version) runner.Candidate {
	f.t.Helper()
	c, err := f.Launch(f.t.Context(), v)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// run has a version run in place of what runs.
func (f *fixture) run(v runner.Version) (launch string) {
	f.t.Helper()
	c := f.launch(v)
	c.Promote()
	c.Commit(0)
	return c.Launch()
}

// pick returns the address for the next request to the app.
func (f *fixture) pick() (addr string, done func(), ok bool) {
	t, ok := f.Pick("me", "app", "")
	return t.Addr, t.Done, ok
}

// get requests a path of the app; it returns "" if nothing answers.
func (f *fixture) get(path string) string {
	f.t.Helper()
	addr, done, ok := f.pick()
	if !ok {
		return ""
	}
	defer done()
	return f.getAt(addr, path)
}

func (f *fixture) getAt(addr, path string) string {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, "http://"+addr+path, http.NoBody)
	if err != nil {
		f.t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return ""
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // only read
	if err != nil {
		return ""
	}
	return string(text)
}

// answers fails unless a version's app answers, and returns the whole answer.
func (f *fixture) answers(snapshot string) string {
	f.t.Helper()
	got := f.get("/")
	if !strings.HasPrefix(got, snapshot+" ") {
		f.t.Errorf("it answers %q, want %s", got, snapshot)
	}
	return got
}

// await waits until something is so.
func (f *fixture) await(what string, so func() bool) {
	f.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !so() {
		select {
		case <-look.C:
		case <-limit.C:
			f.t.Fatalf("waited in vain for %s: %+v", what, f.State("me", "app"))
		}
	}
}

// failed fails unless err is that of a start, with these words.
func (f *fixture) failed(err error, reason, detail string) {
	f.t.Helper()
	e := core.AsError(err)
	if e == nil || e.Code != core.CodePlatformStartFailed || !strings.Contains(e.Reason, reason) || !strings.Contains(e.Detail, detail) {
		f.t.Errorf("got %v, want a failed start with %q and %q", err, reason, detail)
	}
}

func launchBeside(f *fixture) {
	f.run(f.version("1"))
	first := f.answers("1")
	addr, done, _ := f.pick()
	c := f.launch(f.version("2"))
	if got := f.answers("1"); got != first {
		f.t.Errorf("before the second is promoted %q answers, want %q", got, first)
	}
	if s := f.State("me", "app"); s.Snapshot != "1" {
		f.t.Errorf("state %+v", s)
	}
	c.Promote()
	second := f.answers("2")
	if s := f.State("me", "app"); s.Snapshot != "2" || s.Phase != runner.Started || s.Drones != 1 || s.Wanted != 1 || s.Restarts != 0 {
		f.t.Errorf("state %+v", s)
	}
	if got := f.getAt(addr, "/"); got != first {
		f.t.Errorf("the first answers %q, want %q", got, first)
	}
	c.Commit(0)
	if got := f.answers("2"); got != second {
		f.t.Errorf("in the end %q answers, want %q", got, second)
	}
	if got := f.getAt(addr, "/"); got != first {
		f.t.Errorf("with a request in flight the first answers %q, want %q", got, first)
	}
	done()
	f.await("the end of the first", func() bool { return f.getAt(addr, "/") == "" })
	f.run(f.version("2"))
	if got := f.answers("2"); got == second {
		f.t.Error("the same version anew is answered by the same process")
	}
}

func abort(f *fixture) {
	f.run(f.version("1"))
	first := f.answers("1")
	c := f.launch(f.version("2"))
	c.Abort()
	if got := f.answers("1"); got != first {
		f.t.Errorf("after a candidate was aborted %q answers, want %q", got, first)
	}
	c = f.launch(f.version("2"))
	c.Promote()
	f.answers("2")
	addr, done, _ := f.pick()
	done()
	c.Abort()
	if got := f.answers("1"); got != first {
		f.t.Errorf("after a promoted candidate was aborted %q answers, want %q", got, first)
	}
	if s := f.State("me", "app"); s.Snapshot != "1" || s.Phase != runner.Started || s.Drones != 1 {
		f.t.Errorf("state %+v", s)
	}
	f.await("the end of the candidate", func() bool { return f.getAt(addr, "/") == "" })
}

func abortFirst(f *fixture) {
	c := f.launch(f.version("1"))
	c.Promote()
	f.answers("1")
	c.Abort()
	if _, _, ok := f.pick(); ok {
		f.t.Error("a drone is picked")
	}
	if s := f.State("me", "app"); s.Phase != runner.Stopped || s.Snapshot != "" {
		f.t.Errorf("state %+v", s)
	}
}

func launchFails(f *fixture) {
	f.run(f.version("1"))
	first := f.answers("1")
	v := f.h.Version(f.t, "2", `console.error("no database"); process.exit(7)`)
	_, err := f.Launch(f.t.Context(), v)
	f.failed(err, "code 7", "no database")
	if got := f.answers("1"); got != first {
		f.t.Errorf("%q answers, want %q", got, first)
	}
	f.run(f.version("3"))
	f.answers("3")
}

func prove(f *fixture) {
	c := f.launch(f.version("1"))
	c.Promote()
	if err := c.Watch(f.t.Context(), 10*time.Millisecond); err != nil {
		f.t.Error(err)
	}
	c.Commit(0)
	f.answers("1")
}

func proveCrash(f *fixture) {
	f.run(f.version("1"))
	first := f.answers("1")
	c := f.launch(f.version("2"))
	c.Promote()
	watched := make(chan error, 1)
	go func() { watched <- c.Watch(f.t.Context(), time.Hour) }()
	f.get("/exit")
	f.failed(<-watched, "code 3", "no database")
	if got := f.answers("1"); got != first {
		f.t.Errorf("at once %q answers, want %q", got, first)
	}
	c.Abort()
	if got := f.answers("1"); got != first {
		f.t.Errorf("in the end %q answers, want %q", got, first)
	}
	if len(f.crashes) > 0 {
		f.t.Errorf("it counts as a crash: %+v", <-f.crashes)
	}
}

func proveDeaf(f *fixture) {
	f.run(f.version("1"))
	c := f.launch(f.version("2"))
	c.Promote()
	watched := make(chan error, 1)
	go func() { watched <- c.Watch(f.t.Context(), time.Hour) }()
	f.get("/close")
	f.failed(<-watched, "port", "listening")
	c.Abort()
	f.answers("1")
}

// A router that is refused a connection has the requests go to others at once.
func refused(f *fixture) {
	f.run(f.version("1"))
	first := f.answers("1")
	c := f.launch(f.version("2"))
	c.Promote()
	watched := make(chan error, 1)
	go func() { watched <- c.Watch(f.t.Context(), time.Hour) }()
	addr, done, _ := f.pick()
	f.getAt(addr, "/close")
	f.await("the end of listening", func() bool { return f.getAt(addr, "/") == "" })
	done()
	f.Refused("me", "app", addr)
	if got := f.answers("1"); got != first {
		f.t.Errorf("%q answers, want %q", got, first)
	}
	f.failed(<-watched, "port", "listening")
	c.Abort()
	f.Refused("me", "app", "127.0.0.1:1") // which no drone has
	f.Refused("me", "none", addr)
	f.answers("1")
}

func proveCancelled(f *fixture) {
	f.run(f.version("1"))
	c := f.launch(f.version("2"))
	c.Promote()
	ctx, cancel := context.WithCancel(f.t.Context())
	cancel()
	if err := c.Watch(ctx, time.Hour); err == nil || core.CodeOf(err) == core.CodePlatformStartFailed {
		f.t.Errorf("got %v", err)
	}
	c.Abort()
	f.answers("1")
}

// A version that has replaced another gives way to it at once while that stands by.
func standby(f *fixture) {
	f.run(f.version("1"))
	first := f.answers("1")
	c := f.launch(f.version("2"))
	c.Commit(time.Hour)
	f.answers("2")
	f.get("/exit")
	f.await("the one that stands by", func() bool { return f.get("/") == first })
	<-f.crashes
	f.await("the second again", func() bool { return strings.HasPrefix(f.get("/"), "2 ") })
	if s := f.State("me", "app"); s.Snapshot != "2" || s.Wanted != 1 {
		f.t.Errorf("state %+v", s)
	}
}

// What stands by is ended by its time, by the next version, and with its app.
func standbyEnds(f *fixture) {
	f.run(f.version("1"))
	gone := func(commit, then func()) {
		f.t.Helper()
		addr, done, _ := f.pick()
		done()
		commit()
		then()
		f.await("the end of what stood by", func() bool { return f.getAt(addr, "/") == "" })
	}
	gone(func() { f.launch(f.version("2")).Commit(time.Millisecond) }, func() {})
	gone(func() { f.launch(f.version("3")).Commit(time.Hour) }, func() {
		c := f.launch(f.version("4"))
		c.Promote()
		c.Abort()
		f.answers("3")
	})
	gone(func() { f.launch(f.version("5")).Commit(time.Hour) }, func() {
		if err := f.Halt(f.t.Context(), "me", "app"); err != nil {
			f.t.Error(err)
		}
	})
}

func crash(f *fixture) {
	launch := f.run(f.version("1"))
	lives := map[string]bool{f.answers("1"): true}
	for i := range 3 {
		f.get("/exit")
		c := <-f.crashes
		if c.User != "me" || c.App != "app" || c.Snapshot != "1" || c.Launch != launch || c.Drone != 1 || c.Again != (i > 0) || c.Pause <= 0 {
			f.t.Errorf("crash %+v", c)
		}
		if !strings.Contains(c.Reason, "code 3") || !strings.Contains(c.Detail, "no database") {
			f.t.Errorf("crash %+v", c)
		}
		f.await("a new drone", func() bool { return f.State("me", "app").Phase == runner.Started })
		lives[f.answers("1")] = true
	}
	if s := f.State("me", "app"); len(lives) != 4 || s.Restarts != 3 || !strings.Contains(s.Reason, "code 3") {
		f.t.Errorf("state %+v after %d lives", s, len(lives))
	}
}

func lostPort(f *fixture) {
	f.run(f.version("1"))
	first := f.answers("1")
	f.get("/close")
	if c := <-f.crashes; !strings.Contains(c.Reason, "port") {
		f.t.Errorf("crash %+v", c)
	}
	f.await("a new drone", func() bool { return f.State("me", "app").Phase == runner.Started })
	if got := f.answers("1"); got == first {
		f.t.Error("the same process answers")
	}
}

func drones(f *fixture) {
	v := f.version("1")
	v.Drones = 3
	f.run(v)
	if s := f.State("me", "app"); s.Drones != 3 || s.Wanted != 3 {
		f.t.Errorf("state %+v", s)
	}
	count := map[string]int{}
	for range 9 {
		addr, done, ok := f.pick()
		if !ok {
			f.t.Fatal("no drone")
		}
		defer done()
		count[addr]++
	}
	for addr, n := range count {
		if n != 3 {
			f.t.Errorf("%s has %d of 9 requests", addr, n)
		}
	}
	// One that crashes leaves the others serving.
	f.get("/exit")
	<-f.crashes
	f.answers("1")
	f.await("the third drone", func() bool { return f.State("me", "app").Drones == 3 })
}

// The requests of a client go to one drone of a sticky app, while that is ready, and
// those of several clients to several.
func sticky(f *fixture) {
	v := f.version("1")
	v.Drones, v.Sticky = 3, true
	f.run(v)
	pick := func(client string) string {
		f.t.Helper()
		t, ok := f.Pick("me", "app", client)
		if !ok || !t.Sticky {
			f.t.Fatalf("picked %+v, %v", t, ok)
		}
		defer t.Done()
		return t.Addr
	}
	used := map[string]bool{}
	for i := range 30 {
		client := string(rune('a' + i))
		addr := pick(client)
		used[addr] = true
		for range 3 {
			if again := pick(client); again != addr {
				f.t.Errorf("client %s is at %s, and then at %s", client, addr, again)
			}
		}
	}
	if len(used) != 3 {
		f.t.Errorf("30 clients use %d drones", len(used))
	}
	// Another drone has them while theirs is away.
	addr := pick("a")
	f.getAt(addr, "/exit")
	<-f.crashes
	if again := pick("a"); again == addr {
		f.t.Errorf("a drone that has ended is picked: %s", again)
	}
	// One drone alone need not be.
	v.Drones = 1
	f.run(v)
	if t, ok := f.Pick("me", "app", "a"); !ok || t.Sticky {
		f.t.Errorf("picked %+v, %v", t, ok)
	}
}

func haltAndDestroy(f *fixture) {
	ctx := f.t.Context()
	f.run(f.version("1"))
	addr, done, _ := f.pick()
	done()
	for range 2 { // the second has nothing to do
		if err := f.Halt(ctx, "me", "app"); err != nil {
			f.t.Fatal(err)
		}
	}
	if _, _, ok := f.pick(); ok || f.getAt(addr, "/") != "" {
		f.t.Error("a drone is left")
	}
	if s := f.State("me", "app"); s.Phase != runner.Stopped || s.Snapshot != "" {
		f.t.Errorf("state %+v", s)
	}
	f.run(f.version("1"))
	if err := f.Destroy(ctx, "me", "app"); err != nil {
		f.t.Fatal(err)
	}
	if lines, err := f.Logs("me", "app", time.Time{}, time.Time{}, 10); err != nil || len(lines) > 0 {
		f.t.Errorf("the log has %v, %v", lines, err)
	}
	f.run(f.version("2"))
	f.answers("2")
}

func resume(f *fixture) {
	launch, err := f.Resume(f.t.Context(), f.version("1"))
	if err != nil {
		f.t.Fatal(err)
	}
	if s := f.State("me", "app"); s.Snapshot != "1" || s.Phase != runner.Starting && s.Phase != runner.Started {
		f.t.Errorf("state %+v", s)
	}
	f.await("a drone", func() bool { return f.State("me", "app").Phase == runner.Started })
	f.answers("1")
	f.get("/exit")
	if c := <-f.crashes; c.Launch != launch {
		f.t.Errorf("crash %+v, want one of %s", c, launch)
	}
	f.await("a new drone", func() bool { return f.State("me", "app").Phase == runner.Started })
	f.run(f.version("2"))
	f.answers("2")
}

func lines(f *fixture) {
	begin := time.Now().UTC().Add(-time.Second)
	f.run(f.version("1"))
	read := func(from, until time.Time, rows int) (texts []string) {
		f.t.Helper()
		lines, err := f.Logs("me", "app", from, until, rows)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, l := range lines {
			texts = append(texts, l.Text)
		}
		return texts
	}
	f.await("the first line", func() bool { return len(read(time.Time{}, time.Time{}, 10)) > 0 })
	f.Note("me", "app", "a note")
	if got := strings.Join(read(begin, time.Time{}, 10), "|"); got != "listening|a note" {
		f.t.Errorf("the log is %q", got)
	}
	if got := strings.Join(read(time.Time{}, time.Time{}, 1), "|"); got != "a note" {
		f.t.Errorf("the last line is %q", got)
	}
	if got := read(time.Time{}, begin, 10); len(got) > 0 {
		f.t.Errorf("before the start the log has %q", got)
	}
	lines, err := f.Logs("me", "app", time.Time{}, time.Time{}, 10)
	if err != nil || lines[0].Drone != 1 || lines[0].Stream != runner.Stdout || lines[1].Drone != 0 || lines[1].Stream != runner.Platform {
		f.t.Errorf("the log is %+v, %v", lines, err)
	}
}

func unknown(f *fixture) {
	if s := f.State("me", "app"); s.Phase != runner.Stopped || s.User != "me" || s.App != "app" {
		f.t.Errorf("state %+v", s)
	}
	if _, _, ok := f.pick(); ok {
		f.t.Error("a drone is picked")
	}
	if lines, err := f.Logs("me", "app", time.Time{}, time.Time{}, 10); err != nil || len(lines) > 0 {
		f.t.Errorf("the log has %v, %v", lines, err)
	}
	if err := f.Halt(f.t.Context(), "me", "app"); err != nil {
		f.t.Error(err)
	}
}
