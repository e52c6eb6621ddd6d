package runnertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// worker logs which version it is and whether it has a port, and that it is ended,
// and stops with a failure when there is a file in the app's data.
const worker = `trap 'echo "$ANSWER ends"; exit' TERM
echo "$ANSWER works, port ${PORT:-none}"
while [ ! -e "$DATA_DIR/stop" ]; do sleep 0.02; done
rm "$DATA_DIR/stop"; echo "no queue" >&2; exit 5`

// log returns the lines of a process in the app's log.
func (f *fixture) log(process string) (texts []string) {
	f.t.Helper()
	lines, err := f.Logs("me", "app", time.Time{}, time.Time{}, 1000)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, l := range lines {
		if l.Process == process && l.Stream != runner.Platform {
			texts = append(texts, l.Text)
		}
	}
	return texts
}

// logs waits until a process has logged a line as often as that.
func (f *fixture) logs(process, text string, times int) {
	f.t.Helper()
	f.await(process+" to log "+text, func() bool {
		found := 0
		for _, line := range f.log(process) {
			if line == text {
				found++
			}
		}
		return found == times
	})
}

func processes(f *fixture) {
	v := f.version("1")
	v.Processes = map[string]string{"worker": worker, "clock": "sleep 1000"}
	v.Drones = 2
	f.run(v)
	f.answers("1")
	f.logs("worker", "1 works, port none", 1)
	if s := f.State("me", "app"); s.Drones != 2 || s.Wanted != 2 || s.Phase != runner.Started {
		f.t.Errorf("state %+v", s)
	}
	// They are replaced with the web process.
	v = f.version("2")
	v.Processes = map[string]string{"worker": worker}
	c := f.launch(v)
	f.answers("1")
	f.logs("worker", "2 works, port none", 1)
	c.Promote()
	c.Commit(0)
	f.answers("2")
	f.logs("worker", "1 ends", 1)
	f.get("/stop")
	f.logs("worker", "no queue", 1)
	f.logs("worker", "2 works, port none", 2)
}

func processCrash(f *fixture) {
	f.run(f.version("1"))
	first := f.answers("1")
	// One that ends at once has not passed.
	v := f.version("2")
	v.Processes = map[string]string{"worker": "echo no queue; exit 5"}
	c := f.launch(v)
	f.failed(c.Watch(f.t.Context(), time.Hour), "process worker exited with code 5", "no queue")
	c.Abort()
	if got := f.answers("1"); got != first {
		f.t.Errorf("%q answers, want %q", got, first)
	}
	// One that ends later is started again, and the web process goes on.
	v.Processes["worker"] = worker
	launch := f.run(v)
	second := f.answers("2")
	f.logs("worker", "2 works, port none", 1)
	f.get("/stop")
	crash := <-f.crashes
	if crash.Process != "worker" || crash.Drone != 1 || crash.Launch != launch || !strings.Contains(crash.Reason, "process worker exited with code 5") || !strings.Contains(crash.Detail, "no queue") {
		f.t.Errorf("crash %+v", crash)
	}
	f.logs("worker", "2 works, port none", 2)
	if got := f.answers("2"); got != second {
		f.t.Errorf("%q answers, want %q", got, second)
	}
	if s := f.State("me", "app"); s.Restarts != 1 || s.Drones != 1 || s.Wanted != 1 || !strings.Contains(s.Reason, "process worker") {
		f.t.Errorf("state %+v", s)
	}
}

func onlyProcesses(f *fixture) {
	v := f.version("1")
	v.Start, v.Drones = "", 2
	v.Processes = map[string]string{"worker": worker}
	c := f.launch(v)
	c.Promote()
	if err := c.Watch(f.t.Context(), 10*time.Millisecond); err != nil {
		f.t.Fatal(err)
	}
	c.Commit(0)
	f.logs("worker", "1 works, port none", 2)
	if s := f.State("me", "app"); s.Phase != runner.Started || s.Drones != 2 || s.Wanted != 2 || s.Snapshot != "1" {
		f.t.Errorf("state %+v", s)
	}
	if _, _, ok := f.pick(); ok {
		f.t.Error("a worker is picked")
	}
	f.run(f.version("2"))
	f.answers("2")
}

// The data of an app stays until the app is destroyed.
func data(f *fixture) {
	write := `echo "$(cat "$DATA_DIR/count" 2>/dev/null)x" > "$DATA_DIR/count"; [ "$HOME" = "$DATA_DIR" ] && cat "$DATA_DIR/count"`
	for i, want := range []string{"x", "xx"} {
		v := f.version(string(rune('1' + i)))
		v.Processes = map[string]string{"writer": write + "; exec sleep 1000"}
		f.run(v)
		f.logs("writer", want, 1)
	}
	if err := f.Destroy(f.t.Context(), "me", "app"); err != nil {
		f.t.Fatal(err)
	}
	v := f.version("3")
	v.Processes = map[string]string{"writer": write + "; exec sleep 1000"}
	f.run(v)
	f.logs("writer", "x", 1)
}

// A static site is served without a process of its own, beside others.
func static(f *fixture) {
	f.run(f.version("1"))
	v := f.version("2")
	v.Static, v.Start, v.Drones = v.Dir, "", 2
	v.Processes = map[string]string{"worker": worker}
	c := f.launch(v)
	f.answers("1")
	c.Promote()
	if err := c.Watch(f.t.Context(), 10*time.Millisecond); err != nil {
		f.t.Fatal(err)
	}
	c.Commit(0)
	if got := f.get("/server.js"); got != app {
		f.t.Errorf("it answers %q", got)
	}
	f.logs("worker", "2 works, port none", 1)
	if s := f.State("me", "app"); s.Phase != runner.Started || s.Drones != 2 || s.Wanted != 2 {
		f.t.Errorf("state %+v", s)
	}
	addr, done, _ := f.pick()
	f.run(f.version("3"))
	f.answers("3")
	if got := f.getAt(addr, "/server.js"); got != app {
		f.t.Errorf("with a request in flight the site answers %q", got)
	}
	done()
	f.await("the end of the site", func() bool { return f.getAt(addr, "/server.js") == "" })
}

func command(f *fixture) {
	v := f.version("1")
	// Into the log.
	exit, err := f.Run(f.t.Context(), v, runner.Command{Name: "release", Shell: `echo "$ANSWER, port ${PORT:-none}"; echo bad >&2; exit 3`})
	if err != nil || exit.Code != 3 || exit.Reason != "exited with code 3" || !strings.Contains(exit.Detail, "1, port none") || !strings.Contains(exit.Detail, "bad") {
		f.t.Errorf("exit %+v, %v", exit, err)
	}
	if got := f.log("release"); len(got) != 2 || !slices.Contains(got, "1, port none") || !slices.Contains(got, "bad") {
		f.t.Errorf("the log has %q", got)
	}
	// To the caller.
	var out strings.Builder
	exit, err = f.Run(f.t.Context(), v, runner.Command{Name: "run", Shell: "echo one; echo two >&2; node -p '1+1'", Out: &out})
	if err != nil || exit.Code != 0 || exit.Reason != "exited with code 0" || out.String() != "one\ntwo\n2\n" {
		f.t.Errorf("exit %+v with %q, %v", exit, out.String(), err)
	}
	if got := f.log("run"); len(got) > 0 {
		f.t.Errorf("the log has %q", got)
	}
	exit, err = f.Run(f.t.Context(), v, runner.Command{Name: "run", Shell: "kill -9 $$", Out: &out})
	if err != nil || exit.Code != 137 {
		f.t.Errorf("exit %+v, %v", exit, err)
	}
	if s := f.State("me", "app"); s.Phase != runner.Stopped {
		f.t.Errorf("state %+v", s)
	}
}

func commandEnded(f *fixture) {
	v := f.version("1")
	ctx, cancel := context.WithCancel(f.t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if _, err := f.Run(ctx, v, runner.Command{Name: "long", Shell: "echo begun; exec sleep 1000"}); !errors.Is(err, context.Canceled) {
			f.t.Errorf("when its context ends it fails with %v", err)
		}
	})
	f.logs("long", "begun", 1)
	cancel()
	running.Wait()
	running.Go(func() {
		if _, err := f.Run(f.t.Context(), v, runner.Command{Name: "halted", Shell: "echo begun; exec sleep 1000"}); err == nil {
			f.t.Error("it goes on while its app is halted")
		}
	})
	f.logs("halted", "begun", 1)
	if err := f.Halt(f.t.Context(), "me", "app"); err != nil {
		f.t.Error(err)
	}
	running.Wait()
}
