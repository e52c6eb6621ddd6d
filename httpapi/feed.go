package httpapi

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/status"
)

// chunk is about how many bytes one write has, at least one change. There is a
// deadline for each write, so a client must read that many in the time.
const chunk = 32 << 10

// feed is one client's stream of changes.
type feed struct {
	query      feedQuery
	form       feedForm
	user, uuid string
	reader     *status.Reader
	out        feedOutput
	ending     context.Context // ends with all feeds
	buffers    *sync.Pool      // of *[]byte

	begun  bool // the headers were sent
	broken bool // a write failed, so nothing can be sent any more
	live   bool // it can be written to without a goroutine of its own

	written, changed time.Time // when something was sent last, and a change
}

// feedOutput is where a feed is written to.
type feedOutput interface {
	// begin sends the headers, and text if there is any.
	begin(text []byte) error
	// write sends text, within a time limit.
	write(text []byte) error
}

// run writes changes until the feed ends: by itself, or with an error that the
// client should get. If the feed is live, run returns as soon as there is nothing
// to write: then idle is true.
func (f *feed) run(ctx context.Context) (idle bool, err error) {
	if f.written.IsZero() {
		f.written = time.Now()
		f.changed = f.written
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wake := f.reader.Wake() // before Poll, so that no change is missed
		more, wrote, err := f.poll(ctx)
		switch {
		case err != nil:
			return false, err
		case wrote && f.query.mode == feedLongpoll, ctx.Err() != nil:
			return false, nil
		case f.ending.Err() != nil:
			return false, core.NewError(core.CodeHTTPUnavailable, "", nil)
		case more:
			continue
		case f.query.mode == feedNormal:
			return false, f.begin()
		case f.silent(time.Now()):
			return false, core.NewError(core.CodeChangesTimeout, "", nil)
		}
		if f.query.timeout == 0 { // else it may become a 408, which needs the headers
			if err := f.begin(); err != nil {
				return false, err
			}
		}
		if f.live && f.begun && f.query.mode == feedContinuous && f.reader.Placed() {
			return true, nil
		}
		timer.Reset(time.Until(f.due()))
		select {
		case <-wake:
		case <-timer.C:
			if err := f.beat(time.Now()); err != nil {
				return false, err
			}
		case <-ctx.Done():
			return false, nil // the client has gone
		case <-f.ending.Done():
			return false, core.NewError(core.CodeHTTPUnavailable, "", nil)
		}
	}
}

// poll writes the next changes that the client wants. more says that there were
// some, so that there may be more.
func (f *feed) poll(ctx context.Context) (more, wrote bool, err error) {
	lines, err := f.reader.Poll(ctx)
	if err != nil || len(lines) == 0 {
		return false, false, err
	}
	buffer, _ := f.buffers.Get().(*[]byte)
	text := (*buffer)[:0]
	defer func() {
		if *buffer = text[:0]; cap(text) > 8*chunk {
			*buffer = nil // one large change must not stay in the pool for ever
		}
		f.buffers.Put(buffer)
	}()
	for _, line := range lines {
		if !f.query.wants(line) {
			continue
		}
		wrote = true
		if text = f.form.line(text, line); len(text) >= chunk {
			if err := f.send(text); err != nil {
				return true, true, err
			}
			text = text[:0]
		}
	}
	if len(text) > 0 {
		err = f.send(text)
	}
	if wrote {
		f.written = time.Now()
		f.changed = f.written
	}
	return true, wrote, err
}

// due returns when beat has to be called.
func (f *feed) due() time.Time {
	next := f.written.Add(f.query.heartbeat)
	if silent := f.changed.Add(f.query.timeout); f.query.timeout > 0 && silent.Before(next) {
		return silent
	}
	return next
}

// silent reports whether there was no change for longer than the client waits.
func (f *feed) silent(now time.Time) bool {
	return f.query.timeout > 0 && now.Sub(f.changed) >= f.query.timeout
}

// beat sends a heartbeat if it is time for one. It fails if the client does not
// wait any longer.
func (f *feed) beat(now time.Time) error {
	if f.silent(now) {
		return core.NewError(core.CodeChangesTimeout, "", nil)
	}
	if now.Sub(f.written) < f.query.heartbeat {
		return nil
	}
	f.written = now
	return f.send(f.form.heartbeat())
}

// begin sends the headers, so that a client knows that it is subscribed.
func (f *feed) begin() error {
	if f.begun {
		return nil
	}
	return f.send(nil)
}

// last writes why the feed ends.
func (f *feed) last(why failure) error {
	text, err := f.form.last(why)
	if err != nil {
		return err
	}
	return f.send(text)
}

// send sends text, with the headers before it if they weren't sent yet.
func (f *feed) send(text []byte) (err error) {
	if f.begun {
		err = f.out.write(text)
	} else {
		f.begun = true
		err = f.out.begin(slices.Concat(f.form.first(), text))
	}
	if err != nil {
		f.broken = true
		return core.NewError(core.CodeChangesFatal, "", err)
	}
	return nil
}

func (f *feed) close() { f.reader.Close() }
