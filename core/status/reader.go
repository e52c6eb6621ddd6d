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
	cursor core.Seq    // everything up to here was given
	known  core.Seq    // the log's end when the reader came
	ahead  []core.Line // read already, given next

	placed bool  // number is known: the reader once stood within the window
	number int64 // of the line that it gets next

	close sync.Once
}

// Subscribe returns a reader of the user's changes from since on; the caller
// closes it. It fails with [core.CodeChangesGone], whose cause is a
// [*GoneError], where changes after since are no longer kept, or since lies
// behind the log's end; with [core.CodeStatusQueryFail]; and with
// [core.CodeHTTPUnavailable] where the Service does not run.
func (s *Service) Subscribe(ctx context.Context, user string, since Since) (*Reader, error) {
	f, err := s.follow(user) //nolint:contextcheck // what is shared outlives each reader
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
		// Waiting for the log to grow beyond it would lose all until then.
		return ahead(oldest)
	}
	if _, ok, err := r.fromWindow(); ok || err != nil {
		return nil // an error is told by Poll
	}
	// Whether it is all there still is told now, and not in the middle.
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

// Poll returns the next changes, oldest first: none where there are none now.
// It does not wait for changes; ctx is for reading from the store what lies
// before the window. The lines are shared and must not be changed.
//
// It fails with [core.CodeChangesFatal] where the reader fell too far behind,
// with [core.CodeStatusQueryFail], and with [core.CodeHTTPUnavailable] after
// the Service was stopped; then there is nothing more to come.
func (r *Reader) Poll(ctx context.Context) ([]core.Line, error) {
	if len(r.ahead) > 0 {
		lines := r.ahead
		r.ahead = nil
		return lines, nil
	}
	lines, ok, err := r.fromWindow()
	if ok || err != nil {
		r.advance(lines)
		return lines, err
	}
	lines, err = r.fromStore(ctx)
	if errors.Is(err, core.ErrGone) {
		return nil, fatal("you read more slowly than changes are dropped")
	}
	return lines, err
}

// Close ends the reader. It may be called again, and from any goroutine.
func (r *Reader) Close() { r.close.Do(r.f.leave) }

// fromWindow returns what the window holds for the reader. ok is false where
// the reader stands before it.
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
		// What was there when the reader came, the follower has not seen yet.
		return nil, false, nil
	}
	lines, r.number = w.after(r.cursor, r.f.s.o.Batch)
	r.placed = true
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
		// All that the log holds was given, so nothing lies before the window.
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
