package httpapi

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/status"
)

// changes streams the user's changes.
func (a *API) changes(c *gin.Context) error {
	user, err := a.authorize(c)
	if err != nil {
		return err
	}
	query, err := parseFeed(c.Request)
	if err != nil {
		return err
	}
	defer a.feeds.Add(-1)
	if a.feeds.Add(1) > int64(a.o.MaxFeeds) || a.ending.Err() != nil {
		return core.NewError(core.CodeHTTPUnavailable, "", nil)
	}
	reader, err := a.o.Status.Subscribe(c.Request.Context(), user, query.since)
	if err != nil {
		return err
	}
	defer reader.Close()
	f := &feed{
		query: query, reader: reader, ending: a.ending,
		writer: newFeedWriter(c.Writer, a.base(c), query, a.o.WriteTimeout, &a.buffers),
	}
	if c.Request.Method == http.MethodHead {
		_ = f.writer.begin() // to nobody, where it fails
		return nil
	}
	err = f.run(c.Request.Context())
	switch {
	case err == nil || !f.writer.begun:
		return err
	case f.broken:
		c.Set(keyCode, string(core.CodeChangesFatal))
		panic(http.ErrAbortHandler)
	}
	if f.writer.last(a.failureOf(c, err)) != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// feed is one reader's stream.
type feed struct {
	query  feedQuery
	reader *status.Reader
	writer *feedWriter
	ending context.Context
	broken bool // a write failed, so the reader is not there any more
}

// run writes changes until the feed ends by itself, which is no error, or for
// a reason that the reader should be told, where anything can be told.
func (f *feed) run(ctx context.Context) error {
	heartbeat := time.NewTimer(f.query.heartbeat)
	defer heartbeat.Stop()
	var silence <-chan time.Time // nil: for ever
	var timeout *time.Timer
	if f.query.timeout > 0 {
		timeout = time.NewTimer(f.query.timeout)
		defer timeout.Stop()
		silence = timeout.C
	}
	for {
		wake := f.reader.Wake() // before Poll, so that nothing falls between
		there, written, err := f.poll(ctx)
		if err != nil {
			return err
		}
		if written {
			if f.query.mode == feedLongpoll {
				return nil
			}
			heartbeat.Reset(f.query.heartbeat)
			if timeout != nil {
				timeout.Reset(f.query.timeout)
			}
		}
		if there { // then there may be more, unless the feed ends meanwhile
			if ctx.Err() != nil {
				return nil
			}
			if f.ending.Err() != nil {
				return core.NewError(core.CodeHTTPUnavailable, "", nil)
			}
			continue
		}
		if f.query.mode == feedNormal {
			return f.write(f.writer.begin())
		}
		if timeout == nil { // else it may become a 408, which needs the headers
			if err := f.write(f.writer.begin()); err != nil {
				return err
			}
		}
		select {
		case <-wake:
		case <-silence:
			return core.NewError(core.CodeChangesTimeout, "", nil)
		case <-heartbeat.C:
			select {
			case <-silence: // at the same time; it has the last word
				return core.NewError(core.CodeChangesTimeout, "", nil)
			default:
			}
			heartbeat.Reset(f.query.heartbeat)
			if err := f.write(f.writer.heartbeat()); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil // nobody is there to be told
		case <-f.ending.Done():
			return core.NewError(core.CodeHTTPUnavailable, "", nil)
		}
	}
}

// poll writes the next batch, as far as the reader wants it.
func (f *feed) poll(ctx context.Context) (there, written bool, err error) {
	lines, err := f.reader.Poll(ctx)
	if err != nil || len(lines) == 0 {
		return false, false, err
	}
	if f.query.app != "" || f.query.statuses != nil {
		wanted := slices.Clone(lines) // which are shared
		lines = slices.DeleteFunc(wanted, func(line core.Line) bool { return !f.query.wants(line) })
	}
	if len(lines) == 0 {
		return true, false, nil
	}
	return true, true, f.write(f.writer.lines(lines))
}

// write notes whether a write failed.
func (f *feed) write(err error) error {
	if err != nil {
		f.broken = true
		return core.NewError(core.CodeChangesFatal, "", err)
	}
	return nil
}
