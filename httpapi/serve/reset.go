package serve

import (
	"net/http"
	"sync"
	"time"
)

const (
	// maxStreams is how many HTTP/2 streams a connection may have at a time.
	maxStreams = 100
	// resetBurst is how many streams of a connection may be reset at once, and
	// resetInterval how long it takes until one more may be. A browser resets the
	// streams of a page that its user leaves; a client that resets far more makes
	// the server work without waiting for the results (CVE-2023-44487).
	resetBurst    = 2 * maxStreams
	resetInterval = 100 * time.Millisecond
)

// resetBudget counts the streams that a client has reset.
type resetBudget struct {
	mu    sync.Mutex
	spent float64
	at    time.Time
}

// spend counts one more and reports whether there were too many.
func (b *resetBudget) spend(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spent = max(b.spent-float64(now.Sub(b.at))/float64(resetInterval), 0) + 1
	b.at = now
	return b.spent > resetBurst
}

// countReset is called when a request has been answered. If its stream was
// reset meanwhile, and too many were before, it closes the connection.
func (c *conn) countReset(r *http.Request) {
	if r.ProtoMajor < 2 || r.Context().Err() == nil {
		return
	}
	if c.resets.spend(time.Now()) {
		c.s.resets.Add("client_ip", c.peer.Addr().Addr().String())
		_ = c.Close()
	}
}
