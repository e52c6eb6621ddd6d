package status

import (
	"context"
	"errors"
	"sync"

	"github.com/nodejitsu/webhooks/core"
)

// Reader is a cursor on a user's feed, for one goroutine.
type Reader struct {
	f      *follower
	cursor core.Seq    // everything up to here was read
	known  core.Seq    // the log's end when the reader was made
	ahead  []core.Line // read, and not returned yet

	placed bool  // number is valid: the reader has been within the window
	number int64 // of the line that it reads next

	close sync.Once
}

// Subscribe returns a reader of the user's changes from since on; the caller
// closes it. It fails with [core.CodeChangesGone], whose cause is a
// [*GoneError], if changes after since are no longer kept, or since is beyond
// the end of the log; with [core.CodeStatusQueryFail]; and with
// [core.CodeHTTPUnavailable] if the Service does not run.
func (s *Service) Subscribe(ctx context.Context, user string, since Since) (*Reader, error) {
	f, err := s.follow(user) //nolint:contextcheck // the follower outlives each reader
	if err != nil {
		return nil, err
	}
	r := &Reader{f: f, cursor: since.After}
	if err := r.begin(ctx, since); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Reader) begin(ctx context.Context, since Since) error {
	oldest, newest, err := r.f.s.bounds(ctx, r.f.user)
	if err != nil {
		return core.NewError(core.CodeStatusQueryFail, "", err)
	}
	r.known = newest
	if since.Now {
		r.cursor = newest
		return nil
	}
	if !newest.IsZero() && since.After.Compare(newest) > 0 {
		// Waiting for the log to grow beyond it would miss everything until then.
		return beyond(oldest)
	}
	if _, ok, err := r.fromWindow(); ok || err != nil {
		return nil // Poll returns the error
	}
	// Whether everything is still kept is reported now, and not later.
	lines, err := r.fromStore(ctx)
	if errors.Is(err, core.ErrGone) {
		return gone(oldest)
	}
	r.ahead = lines
	return err
}

// Wake returns a channel that is closed when there may be more than there was
// at the time of this call.
func (r *Reader) Wake() <-chan struct{} {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	return r.f.wake
}

// Poll returns the next changes, oldest first, or none if there are none now.
// It does not wait for changes; ctx is for reading from the store what is older
// than the window. The lines are shared and must not be changed.
//
// It fails with [core.CodeChangesFatal] if the reader fell too far behind, with
// [core.CodeStatusQueryFail], and with [core.CodeHTTPUnavailable] after the
// Service was stopped. After that there is nothing more to read.
func (r *Reader) Poll(ctx context.Context) ([]core.Line, error) {
	if len(r.ahead) > 0 {
		return r.next(), nil
	}
	lines, ok, err := r.fromWindow()
	switch {
	case err != nil:
		return nil, err
	case ok:
		r.advance(lines)
	default:
		lines, err = r.fromStore(ctx)
		if errors.Is(err, core.ErrGone) {
			return nil, fatal("you read more slowly than changes are dropped")
		}
		if err != nil {
			return nil, err
		}
	}
	r.ahead = lines
	return r.next(), nil
}

// next returns what was read ahead, up to a number of bytes.
func (r *Reader) next() []core.Line {
	bytes := 0
	for i, line := range r.ahead {
		if bytes += line.Size(); i > 0 && bytes > r.f.s.o.BatchBytes {
			lines := r.ahead[:i:i]
			r.ahead = r.ahead[i:]
			return lines
		}
	}
	lines := r.ahead
	r.ahead = nil
	return lines
}

// Placed reports whether the reader is within the window, so that Level may say
// that it reads next what another one reads next.
func (r *Reader) Placed() bool { return r.placed }

// Level reports whether both readers have read everything that there is, and
// the same, so that what one reads next is what the other reads next.
func (r *Reader) Level(other *Reader) bool {
	return r.f == other.f && r.placed && other.placed && r.number == other.number && len(r.ahead) == 0 && len(other.ahead) == 0
}

// MoveTo makes r read next what other, a reader of the same feed, reads next.
func (r *Reader) MoveTo(other *Reader) {
	r.cursor, r.known, r.ahead = other.cursor, other.known, other.ahead
	r.placed, r.number = other.placed, other.number
}

// Clone returns another reader that reads next what r reads next; the caller
// closes it. ok is false if the feed has ended meanwhile.
func (r *Reader) Clone() (clone *Reader, ok bool) {
	f := r.f
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if f.s.followers[f.user] != f {
		return nil, false
	}
	f.readers++
	clone = &Reader{f: f}
	clone.MoveTo(r)
	return clone, true
}

// Close ends the reader. It may be called again, and from any goroutine.
func (r *Reader) Close() { r.close.Do(r.f.leave) }

// fromWindow returns what the window has for the reader. ok is false if the
// reader is before it.
func (r *Reader) fromWindow() (lines []core.Line, ok bool, err error) {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	w := &r.f.window
	switch {
	case r.f.err != nil:
		return nil, false, r.f.err
	case r.placed && w.total()-r.number > int64(r.f.s.o.MaxLag):
		return nil, false, fatal("you read too slowly")
	case !r.f.begun, r.cursor.Compare(w.from) < 0:
		return nil, false, nil
	case w.newest.Compare(r.known) < 0 && r.cursor.Compare(r.known) < 0:
		// The follower has not seen yet what was there when the reader was made.
		return nil, false, nil
	}
	lines, r.number = w.after(r.cursor, r.f.s.o.Batch)
	// A reader may be ahead of the window, as the follower has not read yet what
	// the log had when the reader was made. It has no place in the window then.
	r.placed = r.cursor.Compare(w.newest) <= 0
	return lines, true, nil
}

// fromStore reads what comes next from the store.
func (r *Reader) fromStore(ctx context.Context) ([]core.Line, error) {
	s := r.f.s
	select {
	case s.catchUps <- struct{}{}:
		defer func() { <-s.catchUps }()
	case <-ctx.Done():
		return nil, core.NewError(core.CodeStatusQueryFail, "", context.Cause(ctx))
	}
	r.f.mu.Lock()
	from := r.f.window.from
	r.f.mu.Unlock()
	lines, err := s.lines(ctx, r.f.user, r.cursor)
	switch {
	case errors.Is(err, core.ErrGone):
		return nil, err
	case err != nil:
		return nil, core.NewError(core.CodeStatusQueryFail, "", err)
	}
	r.advance(lines)
	if len(lines) < s.o.Batch && r.cursor.Compare(from) < 0 {
		// That was everything in the log, so nothing is before the window.
		r.cursor = from
	}
	return lines, nil
}

// advance moves the cursor behind lines.
func (r *Reader) advance(lines []core.Line) {
	if len(lines) == 0 {
		return
	}
	r.cursor = lines[len(lines)-1].Seq
	r.number += int64(len(lines))
}
