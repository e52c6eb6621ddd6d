package group_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
)

// hide is a script that leaves a process behind in which nothing is left of
// what it was started with, and writes its pid to the file $0.
const hide = `env -i setsid /bin/sh -c 'echo $$ > "$0.next"; mv "$0.next" "$0"; exec sleep 1000' "$0" >/dev/null 2>&1 &`

// No process escapes from a group that runs as its own user, and another group of
// that user is not affected.
func TestBadge(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		return // only root can change the user; TestLeaderLeavesOthers tests marks
	}
	if err := group.Adopt(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o777); err != nil { //nolint:gosec // the other user writes there
			t.Fatal(err)
		}
	}
	start := func(name string) (*group.Group, int) {
		file := filepath.Join(dir, name)
		cmd := exec.Command("/bin/sh", "-c", hide, file) //nolint:gosec,noctx // the test's own; End ends it
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: ownUser(2)}
		g, err := (*group.Cgroups)(nil).Start(cmd, markOf(t)+name, group.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		<-g.Exited()
		text, err := os.ReadFile(file)                                                //nolint:gosec // the test's own
		for ; err != nil && t.Context().Err() == nil; text, err = os.ReadFile(file) { //nolint:gosec // the test's own
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		return g, pid
	}
	one, hidden := start("one")
	two, other := start("two")
	for g, pid := range map[*group.Group]int{one: hidden, two: other} {
		// mv may be about to end.
		members, err := g.Members()
		for ; err == nil && len(members) > 1 && t.Context().Err() == nil; members, err = g.Members() {
		}
		if err != nil || len(members) != 1 || members[0] != pid {
			t.Errorf("members %v, %v, want %d", members, err, pid)
		}
	}
	if err := one.End(t.Context(), 0); err != nil {
		t.Errorf("the leader ended with %v", err)
	}
	gone(t, hidden)
	if err := syscall.Kill(other, 0); err != nil {
		t.Errorf("the other group's process: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := two.End(ctx, time.Minute); err != nil {
		t.Errorf("the leader ended with %v", err)
	}
	gone(t, other)
}
