package group_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
)

// markOf returns the mark of a test's group, which no other run of the test has.
func markOf(t *testing.T) string { return "test." + strconv.Itoa(os.Getpid()) + "." + t.Name() }

// ownUser returns a user that no other run of the test uses; n differs by test.
func ownUser(n int) *syscall.Credential {
	id := uint32(n<<24 + os.Getpid()) //nolint:gosec // a pid has at most 22 bits
	return &syscall.Credential{Uid: id, Gid: id, Groups: []uint32{}}
}

// start runs a script that writes one line when it is ready, and returns the
// numbers in that line.
func start(t *testing.T, script string) (*group.Group, []int) {
	t.Helper()
	if err := group.Adopt(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", script) //nolint:gosec,noctx // the test's own; End ends it
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	g, err := (*group.Cgroups)(nil).Start(cmd, markOf(t), group.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for text := range strings.FieldsSeq(line) {
		pid, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return g, pids
}

func gone(t *testing.T, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		if syscall.Kill(pid, 0) == nil {
			t.Errorf("pid %d of %v is left", pid, pids)
		}
	}
}

func TestEndIsAskedFor(t *testing.T) {
	t.Parallel()
	g, pids := start(t, `trap 'exit 5' TERM; sleep 1000 & echo $$ $!; wait`)
	// The second becomes sleep just now. Before that it is a copy of the shell, which
	// may catch the signal for its trap, and lose it then.
	name := []byte(nil)
	for err := error(nil); string(name) != "sleep\n"; name, err = os.ReadFile(filepath.Join("/proc", strconv.Itoa(pids[1]), "comm")) {
		if err != nil {
			t.Fatal(err)
		}
	}
	err := g.End(t.Context(), time.Minute)
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 5 {
		t.Errorf("the leader ended with %v", err)
	}
	gone(t, pids...)
	if again := g.End(t.Context(), time.Minute); again != err { //nolint:errorlint // the very same
		t.Errorf("a second end: %v, want %v", again, err)
	}
	<-g.Exited()
}

func TestEndIsForced(t *testing.T) {
	t.Parallel()
	g, pids := start(t, `trap '' TERM; sleep 1000 & a=$!; setsid sleep 1000 >/dev/null & echo $$ $a $!; wait`)
	// The third becomes sleep just now, and has no environment meanwhile.
	for members, err := g.Members(); len(members) != 3; members, err = g.Members() {
		if err != nil || t.Context().Err() != nil {
			t.Fatalf("members %v, %v, want 3 as %v", members, err, pids)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = g.End(ctx, time.Hour) // it was killed
	gone(t, pids...)
	if members, err := g.Members(); err != nil || len(members) != 0 {
		t.Errorf("members after the end: %v, %v", members, err)
	}
}

func TestLeaderLeavesOthers(t *testing.T) {
	t.Parallel()
	g, pids := start(t, `sleep 1000 >/dev/null & a=$!; (setsid sh -c 'sleep 1000 & sleep 1001' >/dev/null &); echo $a`)
	<-g.Exited()
	// A process that becomes another program just now has no environment meanwhile.
	found, err := group.Find(markOf(t))
	for ; err == nil && len(found) < 3 && t.Context().Err() == nil; found, err = group.Find(markOf(t)) {
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := g.End(t.Context(), 0); err != nil {
		t.Errorf("the leader ended with %v", err)
	}
	gone(t, pids...)
	gone(t, found...)
	if found, err := group.Find(markOf(t)); err != nil || len(found) != 0 {
		t.Errorf("found after the end: %v, %v", found, err)
	}
}

// A process whose first thread has exited looks like a zombie, and is ended too.
func TestFirstThreadHasExited(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	g, pids := start(t, threadVariable+"=1 setsid "+program+" & wait")
	if _, err := g.Members(); err != nil { // so that it is known
		t.Fatal(err)
	}
	if err := syscall.Kill(pids[0], syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for state := ""; state != "Z"; <-again.C {
		stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pids[0]), "stat"))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		state, _, _ = strings.Cut(rest, " ")
	}
	if members, err := g.Members(); err != nil || !slices.Contains(members, pids[0]) {
		t.Errorf("it is not among the members %v, %v", members, err)
	}
	if err := g.End(t.Context(), time.Minute); errors.Is(err, group.ErrSurvivors) {
		t.Error(err)
	}
	gone(t, pids...)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	args := group.Limits{Files: 99, Memory: 64 << 20, Private: true}.Wrap("/bin/sh", "-c", "ulimit -n; ulimit -d; ulimit -c; umask; echo \"$1\"", "x", "a b")
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...) //nolint:gosec // the test's own
	text, err := cmd.Output()
	if err != nil || string(text) != "99\n65536\n0\n0077\na b\n" {
		t.Errorf("%q, %v", text, err)
	}
}
