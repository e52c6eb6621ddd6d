package httpapi

import (
	"fmt"

	"github.com/nodejitsu/webhooks/core"
)

const (
	typeLines  = "application/x-ndjson"
	typeEvents = "text/event-stream"
)

// feedForm is how a feed is written: as lines of JSON or as server-sent events.
type feedForm struct {
	base   string // scheme and host of links
	docs   core.DocMode
	events bool
}

func (f feedForm) contentType() string {
	if f.events {
		return typeEvents
	}
	return typeLines
}

// first returns what comes before everything else.
func (f feedForm) first() []byte {
	if f.events {
		return []byte("retry: 2000\n\n") // how long a browser waits before it connects again, in ms
	}
	return nil
}

// line appends a change.
func (f feedForm) line(text []byte, line core.Line) []byte {
	if f.events {
		text = fmt.Appendf(text, "id: %s\ndata: ", line.Seq)
	}
	text = append(line.AppendTo(text, f.base, f.docs), '\n')
	if f.events {
		text = append(text, '\n')
	}
	return text
}

// heartbeat returns what a client ignores, and what keeps its connection.
func (f feedForm) heartbeat() []byte {
	if f.events {
		return []byte(":\n\n")
	}
	return []byte("\n")
}

// last returns why the feed ends.
func (f feedForm) last(why failure) ([]byte, error) {
	text, err := encode(why)
	if f.events {
		text = append(append([]byte("event: error\ndata: "), text...), '\n')
	}
	return text, err
}
