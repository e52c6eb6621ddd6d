package router

import (
	"net"
	"testing"
	"time"
)

// Connections that were not used for a while are closed, the others are kept.
func TestSweep(t *testing.T) {
	t.Parallel()
	var h hop
	defer h.close()
	conns := map[string]net.Conn{}
	for _, name := range []string{"old", "new"} {
		ours, theirs := net.Pipe()
		conns[name] = theirs
		if !h.put(&hopConn{Conn: ours, addr: "drone"}) {
			t.Fatal("a connection was not kept")
		}
	}
	if left := sweepFirst(&h); left != 1 {
		t.Fatalf("%d connections are kept, want 1", left)
	}
	if _, err := conns["old"].Read(make([]byte, 1)); err == nil {
		t.Error("the connection that was not used is open")
	}
	if left := sweepFirst(&h); left != 0 || len(h.idle) != 0 {
		t.Errorf("%d connections are kept, and %d drones are remembered, want none", left, len(h.idle))
	}
}

// sweepFirst sweeps as if the first connection had not been used for a while, and
// returns how many are left.
func sweepFirst(h *hop) int {
	h.mu.Lock()
	h.idle["drone"][0].since = time.Now().Add(-idleTimeout)
	h.mu.Unlock()
	h.sweep()
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.idle["drone"])
}

// No more connections are kept than the limit, and none after Close.
func TestPutLimit(t *testing.T) {
	t.Parallel()
	var h hop
	put := func() bool {
		ours, _ := net.Pipe()
		return h.put(&hopConn{Conn: ours, addr: "drone"})
	}
	for range maxIdle {
		if !put() {
			t.Fatal("a connection was not kept")
		}
	}
	if put() {
		t.Error("more connections were kept than the limit")
	}
	h.close()
	if put() {
		t.Error("a connection was kept after Close")
	}
}
