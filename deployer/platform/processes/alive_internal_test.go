package processes

import (
	"net"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A drone that binds its port again is not lost; one that does not listen for a while
// is.
func TestCheckAll(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	d := &drone{lost: make(chan struct{})}
	r := &Runner{o: Options{Now: func() time.Time { return now }}, live: map[*drone]bool{d: true}}
	listen := func() (end func()) {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		d.port = l.Addr().(*net.TCPAddr).Port
		return func() {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	check := func(what string, missed, lost bool) {
		t.Helper()
		if got := r.checkAll(); got != missed || d.isLost() != lost {
			t.Errorf("%s: missed is %t and lost is %t, want %t and %t", what, got, d.isLost(), missed, lost)
		}
	}
	end := listen()
	check("it listens", false, false)
	end()
	check("it has closed its port", true, false)
	now = now.Add(deafFor - 1)
	check("a moment later", true, false)
	end = listen()
	now = now.Add(time.Hour)
	check("it listens again", false, false)
	end()
	check("it has closed its port again", true, false)
	now = now.Add(deafFor)
	check("a while later", false, true)
	check("it is lost", false, true)
}

// The reason is how a drone exited, even if that is noticed late.
func TestBuryReportsExit(t *testing.T) {
	t.Parallel()
	r := New(Options{Dir: t.TempDir()})
	a := r.app("me", "app")
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", "exit 3")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	d := a.fakeDrone(&slot{number: 1}, &fakeProgram{pid: cmd.Process.Pid, end: cmd.Wait})
	if got := a.bury(t.Context(), d); got != "drone 1 exited with code 3" {
		t.Errorf("the reason is %q", got)
	}
}
