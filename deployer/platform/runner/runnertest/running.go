package runnertest

import (
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

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
	f.await("another drone", func() bool {
		if f.getAt(addr, "/") == "" {
			f.Refused("me", "app", addr)
		}
		return pick("a") != addr
	})
	<-f.crashes
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

// A version that was taken back, and still has a request, is started anew.
func resumeEnding(f *fixture) {
	v := f.version("1")
	c := f.launch(v)
	c.Promote()
	addr, done, _ := f.pick()
	c.Abort()
	if _, err := f.Resume(f.t.Context(), v); err != nil {
		f.t.Fatal(err)
	}
	f.await("a drone", func() bool { return f.State("me", "app").Phase == runner.Started })
	done()
	f.await("the end of the first one", func() bool { return f.getAt(addr, "/") == "" })
	f.answers("1")
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
