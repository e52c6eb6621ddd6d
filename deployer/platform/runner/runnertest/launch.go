package runnertest

import (
	"context"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

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
