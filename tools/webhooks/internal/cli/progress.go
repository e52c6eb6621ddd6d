package cli

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// upload shows the progress of an upload: in a line that is rewritten, on a
// terminal, else by a line at its start and one at its end. It may be used
// concurrently.
type upload struct {
	w     io.Writer
	live  bool
	total int64 // bytes

	mu      sync.Mutex
	sent    int64
	started time.Time // zero before the start
	drawn   time.Time
	ended   bool
}

// refresh is the time between two states of the line.
const refresh = 100 * time.Millisecond

// newUpload returns an upload of total bytes, which has not started.
func newUpload(w io.Writer, live bool, total int64) *upload {
	return &upload{w: w, live: live, total: total}
}

// start shows that the upload starts; only the first call counts.
func (u *upload) start() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.started.IsZero() {
		return
	}
	u.started = time.Now()
	if u.live {
		u.draw()
		return
	}
	_, _ = fmt.Fprintf(u.w, "Uploading %s\n", size(u.total))
}

// add shows that n more bytes were sent.
func (u *upload) add(n int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sent += n
	if u.live && !u.started.IsZero() && !u.ended && time.Since(u.drawn) >= refresh {
		u.draw()
	}
}

func (u *upload) draw() {
	u.drawn = time.Now()
	percent := int64(100)
	if u.total > 0 {
		percent = min(100*u.sent/u.total, 100)
	}
	_, _ = fmt.Fprintf(u.w, "\r\x1b[KUploading %s of %s (%d%%)", size(u.sent), size(u.total), percent)
}

// end shows that the upload has ended, if it has started. Only the first call
// counts.
func (u *upload) end(ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.started.IsZero() || u.ended {
		return
	}
	u.ended = true
	if u.live {
		_, _ = io.WriteString(u.w, "\r\x1b[K")
	}
	if ok {
		_, _ = fmt.Fprintf(u.w, "Uploaded %s in %s\n", size(u.total), took(u.started))
	}
}

// size formats a number of bytes for a person.
func size(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	value, unit := float64(n), 0
	for value >= 999.5 && unit < len(units)-1 {
		value /= 1000
		unit++
	}
	if unit == 0 || value >= 99.95 {
		return fmt.Sprintf("%.0f %s", value, units[unit])
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}

// took formats the time since start for a person.
func took(start time.Time) string {
	d := time.Since(start)
	if d < 10*time.Second {
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
