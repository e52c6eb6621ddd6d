package group

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ownMark returns a mark that no other run of the tests has.
func ownMark(name string) string { return name + "." + strconv.Itoa(os.Getpid()) }

// groups returns control groups: those of a server where the test may have
// them, else those of version 2 without controllers where the test may make
// them, else nil.
func groups(t *testing.T) *Cgroups {
	t.Helper()
	if err := Adopt(); err != nil {
		t.Fatal(err)
	}
	c, err := OpenCgroups(t.Context())
	if err == nil {
		return c
	}
	if !errors.Is(err, ErrNoCgroups) {
		t.Errorf("no control groups: %v", err)
	}
	for _, root := range []string{cgroupRoot, filepath.Join(cgroupRoot, "unified")} {
		var fs unix.Statfs_t
		if unix.Statfs(root, &fs) != nil || fs.Type != unix.CGROUP2_SUPER_MAGIC {
			continue
		}
		dir := filepath.Join(root, "webhooks-test-"+strconv.Itoa(os.Getpid())+"-"+t.Name())
		if os.Mkdir(dir, 0o755) != nil { //nolint:gosec // as the kernel has them
			continue
		}
		t.Cleanup(func() {
			if err := os.Remove(dir); err != nil {
				t.Error(err)
			}
		})
		return &Cgroups{dir: dir}
	}
	return nil
}

// Who leaves the process group and drops the mark is still in the control
// group, and it goes with the group.
func TestCgroupHoldsAll(t *testing.T) {
	t.Parallel()
	c := groups(t) // without one, this is of the marks alone
	mark, keep := ownMark("hold"), ""
	if c == nil {
		keep = Variable + "=" + mark
	}
	out := filepath.Join(t.TempDir(), "out")
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `(env -i `+keep+` setsid sleep 1000 & echo $! > "$0"); mv "$0" "$0.done"; exec sleep 1000`, out) //nolint:gosec // the test's own
	g, err := c.Start(cmd, mark, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out + ".done")
	for ; err != nil && t.Context().Err() == nil; text, err = os.ReadFile(out + ".done") {
	}
	hidden, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	// mv may be about to end.
	for members, err := g.Members(); len(members) != 2; members, err = g.Members() {
		if err != nil || t.Context().Err() != nil {
			t.Fatalf("members %v, %v, want 2 with %d", members, err, hidden)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = g.End(ctx, 0) // it was killed
	if syscall.Kill(hidden, 0) == nil {
		t.Errorf("pid %d is left", hidden)
	}
	if g.OutOfMemory() {
		t.Error("it is said to have needed too much memory")
	}
	if c != nil {
		if _, err := os.Stat(filepath.Join(c.dir, commandGroup+mark)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the control group is left: %v", err)
		}
	}
}

// What a server left that was killed is swept, and what is another's is not.
func TestSweep(t *testing.T) {
	t.Parallel()
	c := groups(t)
	ours, others := ownMark("a")+".", ownMark("b")+"."
	if c == nil {
		if err := c.Sweep(ours, nil); err != nil {
			t.Error(err)
		}
		return
	}
	var started []*Group
	for _, mark := range []string{ours + "1", others + "1"} {
		g, err := c.Start(exec.CommandContext(t.Context(), "sleep", "1000"), mark, Limits{}) //nolint:gosec // the test's own
		if err != nil {
			t.Fatal(err)
		}
		started = append(started, g)
	}
	if err := c.Sweep(ours, nil); err != nil {
		t.Error(err)
	}
	<-started[0].Exited()
	select {
	case <-started[1].Exited():
		t.Error("another's was killed")
	default:
	}
	left, err := filepath.Glob(filepath.Join(c.dir, commandGroup+ownMark("[ab]")+".1"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != commandGroup+others+"1" {
		t.Errorf("left: %v, %v", left, err)
	}
	for _, g := range started {
		_ = g.End(t.Context(), time.Minute) // it fails as they were signaled
	}
}

// The kernel applies the limits to the sum of all processes in a control group. If
// control groups are not available, only the written files are checked.
func TestCgroupLimits(t *testing.T) {
	t.Parallel()
	limits := Limits{Memory: 64 << 20, Processes: 20}
	c, err := OpenCgroups(t.Context())
	if err != nil {
		g := &cgroup{path: t.TempDir()}
		want := map[string]string{"memory.max": "67108864", "memory.oom.group": "1", "memory.swap.max": "0", "pids.max": "20"}
		for name := range want {
			if err := os.WriteFile(filepath.Join(g.path, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.limit(limits); err != nil {
			t.Fatal(err)
		}
		for name, value := range want {
			if text, err := os.ReadFile(filepath.Join(g.path, name)); err != nil || string(text) != value {
				t.Errorf("%s is %q, %v, want %s", name, text, err, value)
			}
		}
		for text, want := range map[string]bool{"low 0\noom 3\noom_kill 0\n": false, "oom 0\noom_kill 12\noom_group_kill 1\n": true, "": false} {
			if err := os.WriteFile(filepath.Join(g.path, "memory.events"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := g.outOfMemory(); got != want {
				t.Errorf("out of memory is %v after %q", got, text)
			}
		}
		return
	}
	if again, err := OpenCgroups(t.Context()); err != nil || again.dir != c.dir {
		t.Errorf("opened again: %v, %v, want %v", again, err, c)
	}
	// Each child takes less than the limit, and all together more.
	g, err := c.Start(exec.CommandContext(t.Context(), "/bin/sh", "-c", "for i in 1 2 3 4; do head -c 30000000 /dev/zero | tail -n 1 | sleep 1000 & done; wait"), ownMark("memory"), limits)
	if err != nil {
		t.Fatal(err)
	}
	<-g.Exited()
	if _ = g.End(t.Context(), 0); !g.OutOfMemory() {
		t.Error("it had all the memory that it wanted")
	}
	g, err = c.Start(exec.CommandContext(t.Context(), "/bin/sh", "-c", "while :; do sleep 1000 & done"), ownMark("pids"), limits)
	if err != nil {
		t.Fatal(err)
	}
	<-g.Exited() // dash ends when it can't fork
	if members, err := g.Members(); err != nil || len(members) != limits.Processes-1 {
		t.Errorf("%d processes, %v", len(members), err)
	}
	_ = g.End(t.Context(), 0) // it was killed
}

// What a control group is limited to, as the kernel's files have it.
func TestCgroupFiles(t *testing.T) {
	t.Parallel()
	g := &cgroup{path: t.TempDir()}
	files := map[string]string{"memory.max": "1048576", "memory.oom.group": "1", "memory.swap.max": "0", "cpu.max": "150000 100000", "pids.max": "7"}
	for name := range files {
		if err := os.WriteFile(filepath.Join(g.path, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.limit(Limits{Memory: 1 << 20, CPUs: 1.5, Processes: 7}); err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if got, err := os.ReadFile(filepath.Join(g.path, name)); err != nil || string(got) != want {
			t.Errorf("%s has %q, %v; want %q", name, got, err, want)
		}
	}
}
