// Package runnertest is the conformance suite of package runner: each runner must
// pass it.
package runnertest

import (
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

// patience is how long something may take that must happen. Only what hangs takes so
// long, however busy the machine is.
const patience = 10 * time.Minute

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
		"resume what is ending":        resumeEnding,
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

// get requests a path of the app, as a router does; it returns "" if nothing answers.
func (f *fixture) get(path string) string {
	f.t.Helper()
	addr, done, ok := f.pick()
	if !ok {
		return ""
	}
	defer done()
	got := f.getAt(addr, path)
	if got == "" {
		f.Refused("me", "app", addr)
	}
	return got
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
