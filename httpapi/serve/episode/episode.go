// Package episode logs what may happen thousands of times a minute, such as a
// refused request, without a line for each time: one line when it begins, one
// with a count every minute while it goes on, and one when it has ended.
//
//	throttled := episode.New(logger, slog.LevelWarn, "logins throttled")
//	throttled.Add("address", address)
package episode

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// interval is between the lines of an episode. One that was quiet for so long has ended.
const interval = time.Minute

// Episode may be used concurrently.
type Episode struct {
	logger  *slog.Logger
	level   slog.Level
	message string

	mu    sync.Mutex
	began time.Time // zero: nothing goes on
	last  time.Time
	total int
	count int // since the last line
}

// New returns an Episode that logs message, a constant phrase.
func New(logger *slog.Logger, level slog.Level, message string) *Episode {
	return &Episode{logger: logger, level: level, message: message}
}

// Add says that it happened once more. The attributes are logged if this
// begins an episode.
func (e *Episode) Add(attributes ...any) {
	e.mu.Lock()
	e.last = time.Now()
	e.total++
	e.count++
	begins := e.began.IsZero()
	if begins {
		e.began, e.count = e.last, 0
		time.AfterFunc(interval, e.report)
	}
	e.mu.Unlock()
	if begins {
		e.log(e.message, attributes...)
	}
}

// report logs how it goes on, or that it has ended.
func (e *Episode) report() {
	e.mu.Lock()
	count, total, lasted := e.count, e.total, e.last.Sub(e.began)
	e.count = 0
	if count == 0 {
		e.began, e.total = time.Time{}, 0
	} else {
		time.AfterFunc(interval, e.report)
	}
	e.mu.Unlock()
	if count > 0 {
		e.log(e.message+", continuing", "count", count)
		return
	}
	e.log(e.message+", ended", "count", total, "duration_s", int(lasted.Seconds()))
}

func (e *Episode) log(message string, attributes ...any) {
	e.logger.Log(context.Background(), e.level, message, attributes...) //nolint:forbidigo // it belongs to no request
}
