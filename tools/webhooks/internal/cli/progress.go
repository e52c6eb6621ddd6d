package cli

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
)

// upload shows how far an upload is: by a bar on a terminal, else by a line at
// its begin and its end. It may be used concurrently.
type upload struct {
	w     io.Writer
	bar   bool
	total int64 // bytes

	mu      sync.Mutex
	begun   time.Time // zero until it began
	ended   bool
	tracker *progress.Tracker // of the bar
	stop    func()            // ends the bar, and waits until it is drawn
}

// newUpload returns an upload of so many bytes, which has not begun.
func newUpload(w io.Writer, bar bool, total int64) *upload {
	return &upload{w: w, bar: bar, total: total}
}

// begin shows that it begins, once.
func (u *upload) begin() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.begun.IsZero() {
		return
	}
	u.begun = time.Now()
	if !u.bar {
		_, _ = fmt.Fprintf(u.w, "Uploading %s\n", size(u.total))
		return
	}
	u.tracker = &progress.Tracker{Message: "Uploading", Total: u.total, Units: progress.UnitsBytes}
	drawn := progress.NewWriter()
	drawn.SetOutputWriter(u.w)
	drawn.SetTrackerLength(30)
	drawn.SetTrackerPosition(progress.PositionRight)
	drawn.SetUpdateFrequency(100 * time.Millisecond)
	drawn.AppendTracker(u.tracker)
	done := make(chan struct{})
	go func() {
		defer close(done)
		drawn.Render()
	}()
	u.stop = func() {
		again := time.NewTicker(10 * time.Millisecond)
		defer again.Stop()
		for {
			drawn.Stop() // does nothing before Render has begun
			select {
			case <-done:
				return
			case <-again.C:
			}
		}
	}
}

// add shows that n bytes more were sent.
func (u *upload) add(n int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.tracker != nil && !u.ended && u.tracker.Value()+n < u.total { // at its total it would be done
		u.tracker.Increment(n)
	}
}

// end shows that it has ended, once, where it began. After that nothing is
// drawn.
func (u *upload) end(well bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.begun.IsZero() || u.ended {
		return
	}
	u.ended = true
	switch {
	case u.bar && well:
		u.tracker.SetValue(u.total)
		u.tracker.MarkAsDone()
	case u.bar:
		u.tracker.MarkAsErrored()
	case well:
		_, _ = fmt.Fprintf(u.w, "Uploaded in %s\n", took(u.begun))
	}
	if u.stop != nil {
		u.stop()
	}
}

// size writes a number of bytes for a person, in the units of the bar.
func size(n int64) string { return progress.UnitsBytes.Sprint(n) }

// took writes how long it is since then, for a person.
func took(since time.Time) string {
	d := time.Since(since)
	if d < 10*time.Second {
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
