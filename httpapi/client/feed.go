package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// FeedOptions says what a feed contains. The zero value is every change from
// now on, without docs.
type FeedOptions struct {
	Since    string        // "now", "0" for all changes that are kept, or the seq of a change; "" is now
	Docs     core.DocMode  // the changes that come with Doc
	App      string        // "": all apps
	Statuses []core.Status // nil: all

	// Once ends the feed after the changes that there are.
	Once bool

	// Connected is called each time the service has accepted the subscription:
	// no later change is missed.
	Connected func()

	// Disconnected is called with the error before the feed is opened again.
	Disconnected func(err error, pause time.Duration)

	// Heartbeat is how often the service sends something if there is no change;
	// the connection counts as lost after three times that. Default: 15 s.
	Heartbeat time.Duration
}

const (
	firstPause = 100 * time.Millisecond
	maxPause   = 10 * time.Second
	maxLine    = 64 << 20 // bytes
)

// Feed returns the changes of the user in order, each once. If the connection
// is lost, or the service restarts, it connects again and resumes after the
// last change that it has returned. It ends with an error if ctx ends, if the
// service refuses the subscription, or if changes that were not returned yet
// are not kept any more; with [FeedOptions.Once] it ends without one.
//
// A feed that starts at "now" can resume only after its first change: if the
// connection is lost before, changes made meanwhile are missed.
func (c *Client) Feed(ctx context.Context, o FeedOptions) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		if o.Heartbeat <= 0 {
			o.Heartbeat = 15 * time.Second
		}
		for pause := firstPause; ; {
			progress, err := c.follow(ctx, &o, yield)
			after, temporary := core.Retryable(err)
			switch {
			case errors.Is(err, errStopped), err == nil && o.Once:
				return
			case ctx.Err() != nil:
				yield(Change{}, ctx.Err())
				return
			case !temporary:
				yield(Change{}, err)
				return
			}
			if progress {
				pause = firstPause
			}
			if wait := max(pause, after); o.Disconnected != nil {
				o.Disconnected(err, wait)
			}
			timer := time.NewTimer(max(pause, after))
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
			}
			pause = min(2*pause, maxPause)
		}
	}
}

// errStopped ends a feed whose reader wants no more.
var errStopped = errors.New("client: feed stopped") //nolint:gochecknoglobals // a constant

// follow reads the feed over one connection, and advances o.Since. It returns
// nil at the end of a feed that was read once.
func (c *Client) follow(ctx context.Context, o *FeedOptions, yield func(Change, error) bool) (progress bool, err error) {
	ctx, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	silence := time.AfterFunc(3*o.Heartbeat, func() { lost(errSilent) })
	defer silence.Stop()

	response, err := c.send(ctx, http.MethodGet, c.path("changes"), o.query(), nil, nil)
	if err != nil {
		return false, cutOff(ctx, err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if o.Connected != nil {
		o.Connected()
	}
	lines := bufio.NewReader(response.Body)
	for {
		line, err := readLine(lines)
		if errors.Is(err, io.EOF) && len(line) == 0 && o.Once {
			return progress, nil
		}
		if err != nil {
			return progress, cutOff(ctx, core.Transient(fmt.Errorf("client: read feed: %w", err), 0))
		}
		silence.Reset(3 * o.Heartbeat)
		if len(bytes.TrimSpace(line)) == 0 {
			continue // a heartbeat
		}
		change, err := parseLine(line)
		if err != nil {
			return progress, err
		}
		progress = true
		o.Since = change.Seq.String()
		silence.Stop() // the reader may take its time
		if !yield(change, nil) {
			return progress, errStopped
		}
		silence.Reset(3 * o.Heartbeat)
	}
}

// errSilent is the cause of a connection that was given up.
var errSilent = errors.New("client: the service stopped sending") //nolint:gochecknoglobals // a constant

// cutOff returns err, or a temporary error if the connection was given up.
func cutOff(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errSilent) {
		return core.Transient(errSilent, 0)
	}
	return err
}

// query is the query string of a subscription.
func (o FeedOptions) query() url.Values {
	query := url.Values{"heartbeat": {strconv.FormatInt(o.Heartbeat.Milliseconds(), 10)}}
	if o.Since != "" {
		query.Set("since", o.Since)
	}
	switch o.Docs {
	case core.DocAlways:
		query.Set("include_docs", "true")
	case core.DocErrors:
		query.Set("include_docs", "auto")
	}
	if o.App != "" {
		query.Set("app", o.App)
	}
	if len(o.Statuses) > 0 {
		var all []string
		for _, status := range o.Statuses {
			all = append(all, string(status))
		}
		query.Set("status", strings.Join(all, ","))
	}
	if o.Once {
		query.Set("feed", "normal")
	}
	return query
}

// readLine reads up to and with a newline.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
		if len(line) > maxLine {
			return nil, fmt.Errorf("line of more than %d bytes", maxLine)
		}
	}
}

// parseLine parses a change. The last line of a feed that the service ends is
// an error.
func parseLine(line []byte) (Change, error) {
	var change Change
	if err := json.Unmarshal(line, &change); err != nil {
		return Change{}, fmt.Errorf("client: read feed: %w", err)
	}
	if !change.Seq.IsZero() {
		return change, nil
	}
	var wire wireFailure
	if err := json.Unmarshal(line, &wire); err != nil || wire.Error == "" {
		return Change{}, fmt.Errorf("client: read feed: unexpected line %.100q", line)
	}
	e := &Error{Status: http.StatusOK} // the headers had been sent
	wire.fill(e)
	return Change{}, e
}
