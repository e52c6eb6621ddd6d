package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
)

const (
	typeLines  = "application/x-ndjson"
	typeEvents = "text/event-stream"
)

// chunk is about how many bytes one write has, at least one line. A deadline
// counts for each write, so a reader must take that many in the time.
const chunk = 32 << 10

// feedWriter writes a feed, as lines of JSON or as server-sent events.
type feedWriter struct {
	w       gin.ResponseWriter
	rc      *http.ResponseController
	timeout time.Duration // for one write
	base    string
	docs    core.DocMode
	events  bool
	begun   bool // the headers are out
	buffers *sync.Pool
}

func newFeedWriter(w gin.ResponseWriter, base string, q feedQuery, timeout time.Duration, buffers *sync.Pool) *feedWriter {
	// Gin's writer hides whether flushing failed; the one below it tells.
	var below http.ResponseWriter = w
	if u, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		below = u.Unwrap()
	}
	return &feedWriter{
		w: w, rc: http.NewResponseController(below), timeout: timeout,
		base: base, docs: q.docs, events: q.events, buffers: buffers,
	}
}

// begin sends the headers, so that a client knows that it is subscribed.
func (f *feedWriter) begin() error {
	if f.begun {
		return nil
	}
	if first := f.header(nil); len(first) > 0 {
		return f.send(first)
	}
	f.deadline()
	f.w.WriteHeaderNow()
	return f.flush()
}

// header sets the headers, where that is still to do, and appends to text
// what comes first of all.
func (f *feedWriter) header(text []byte) []byte {
	if f.begun {
		return text
	}
	f.begun = true
	h := f.w.Header()
	h.Set("Content-Type", typeLines)
	if f.events {
		h.Set("Content-Type", typeEvents)
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep the lines until it has many
	f.w.WriteHeader(http.StatusOK)
	if f.events {
		// What a browser waits before it connects again, in ms.
		text = append(text, "retry: 2000\n\n"...)
	}
	return text
}

// lines writes changes.
func (f *feedWriter) lines(lines []core.Line) error {
	buffer, _ := f.buffers.Get().(*[]byte)
	defer f.buffers.Put(buffer)
	text := f.header((*buffer)[:0])
	for i, line := range lines {
		if f.events {
			text = fmt.Appendf(text, "id: %s\ndata: ", line.Seq)
		}
		text = line.AppendTo(text, f.base, f.docs)
		text = append(text, '\n')
		if f.events {
			text = append(text, '\n')
		}
		if len(text) < chunk && i < len(lines)-1 {
			continue
		}
		if err := f.write(text); err != nil {
			return err
		}
		*buffer, text = text, text[:0]
	}
	if cap(*buffer) > 8*chunk {
		*buffer = nil // one large change must not stay in the pool for ever
	}
	return f.flush()
}

// heartbeat writes what is nothing to a reader and keeps the connection.
func (f *feedWriter) heartbeat() error {
	text := f.header(nil)
	if f.events {
		text = append(text, ':', '\n')
	}
	return f.send(append(text, '\n'))
}

// last writes why the feed ends.
func (f *feedWriter) last(why failure) error {
	text, err := encode(why)
	if err != nil {
		return err
	}
	if f.events {
		text = append(append([]byte("event: error\ndata: "), text...), '\n')
	}
	return f.send(text)
}

func (f *feedWriter) send(text []byte) error {
	if err := f.write(text); err != nil {
		return err
	}
	return f.flush()
}

func (f *feedWriter) write(text []byte) error {
	f.deadline()
	_, err := f.w.Write(text)
	return err
}

// deadline frees us of a reader that stopped reading. It also puts off the
// server's WriteTimeout, which would end every feed.
func (f *feedWriter) deadline() {
	_ = f.rc.SetWriteDeadline(time.Now().Add(f.timeout)) // not every writer has deadlines
}

func (f *feedWriter) flush() error {
	if err := f.rc.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
