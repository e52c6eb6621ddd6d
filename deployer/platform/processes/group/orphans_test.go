package group_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
)

// An orphan with a session of its own that has ended is known by nothing.
func TestCollect(t *testing.T) {
	t.Parallel()
	g, pids := start(t, `(setsid env -i sh -c 'echo $$' &); exec sleep 1000 >/dev/null`)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for syscall.Kill(pids[0], 0) == nil && t.Context().Err() == nil {
		if err := group.Collect(); err != nil {
			t.Fatal(err)
		}
		<-again.C
	}
	select {
	case <-g.Exited():
		t.Error("the leader has ended")
	default:
	}
	_ = g.End(t.Context(), time.Minute) // it was asked to
}

// Collect does not collect leaders, which their groups wait for.
func TestCollectLeavesLeaders(t *testing.T) {
	t.Parallel()
	g, _ := start(t, `echo $$`)
	<-g.Exited()
	if err := group.Collect(); err != nil {
		t.Fatal(err)
	}
	if err := g.End(t.Context(), time.Minute); err != nil {
		t.Errorf("the leader's exit: %v", err)
	}
}
