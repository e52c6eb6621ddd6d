package group

import (
	"bufio"
	"os/exec"
	"testing"
	"time"
)

// Without a control group too, processes that together use more memory than the limit
// are killed, also those that left the process group.
func TestMemoryOfAllIsLimited(t *testing.T) {
	t.Parallel()
	if err := Adopt(); err != nil {
		t.Fatal(err)
	}
	const limit = 64 << 20
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", "for i in 1 2 3 4; do head -c 30000000 /dev/zero | setsid tail -n 1 | sleep 1000 & done; wait")
	g, err := (*Cgroups)(nil).Start(cmd, ownMark("memory.all"), Limits{Memory: limit})
	if err != nil {
		t.Fatal(err)
	}
	<-g.Exited()
	if _ = g.End(t.Context(), 0); !g.OutOfMemory() { // it was killed
		t.Error("it had all the memory that it wanted")
	}
}

// What processes share is counted once before they are killed.
func TestSharedMemoryIsCountedOnce(t *testing.T) {
	t.Parallel()
	if err := Adopt(); err != nil {
		t.Fatal(err)
	}
	const each = 20_000_000
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `exec 3<&0; x=$(head -c 20000000 /dev/zero | tr '\0' a); for i in 1 2 3 4; do { read -r y <&3; } & done; echo; wait`)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	g, err := (*Cgroups)(nil).Start(cmd, ownMark("memory.shared"), Limits{Memory: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadByte(); err != nil {
		t.Error(err)
	}
	pids, err := g.Members()
	if err != nil || len(pids) != 5 {
		t.Fatalf("members %v, %v", pids, err)
	}
	if all, once := sum(pids, anonymous), sum(pids, proportional); all < 5*each || once < each || once > all/2 {
		t.Errorf("the processes use %d bytes, %d if what they share is counted once", all, once)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	<-g.Exited()
	if err := g.End(t.Context(), 0); err != nil || g.OutOfMemory() {
		t.Errorf("%v, out of memory %v", err, g.OutOfMemory())
	}
}

// New processes are searched for soon if there were some, and rarely if that takes long.
func TestSearchPause(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		took, before time.Duration
		found        bool
		want         time.Duration
	}{
		{time.Millisecond, time.Second, false, 2 * time.Second},
		{time.Millisecond, 8 * time.Second, false, longSearch},
		{time.Millisecond, longSearch, true, time.Second},
		{30 * time.Millisecond, longSearch, false, 20 * time.Second},
		{30 * time.Millisecond, 20 * time.Second, false, 30 * time.Second},
		{time.Millisecond, 30 * time.Second, false, longSearch},
	} {
		if got := searchPause(test.took, test.before, test.found); got != test.want {
			t.Errorf("%+v: got %v", test, got)
		}
	}
}
