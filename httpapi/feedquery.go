package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/status"
)

// feedMode is when a feed ends.
type feedMode string

const (
	feedContinuous feedMode = "continuous" // when the reader leaves
	feedLongpoll   feedMode = "longpoll"   // after one batch
	feedNormal     feedMode = "normal"     // after what there is
)

const (
	defaultHeartbeat = 15 * time.Second
	minHeartbeat     = 10 * time.Millisecond // so that empty lines keep neither side busy
	maxFeedTime      = time.Hour
)

// feedQuery is what a client asks of a feed.
type feedQuery struct {
	since     status.Since
	mode      feedMode
	docs      core.DocMode
	heartbeat time.Duration
	timeout   time.Duration // 0: none
	events    bool          // as server-sent events
	app       string        // "": all
	statuses  []core.Status // nil: all
}

// wants reports whether the client asked for that change.
func (q feedQuery) wants(line core.Line) bool {
	return (q.app == "" || line.App == q.app) &&
		(q.statuses == nil || slices.Contains(q.statuses, line.Status))
}

// parseFeed reads the query string and the headers of a request for a feed.
func parseFeed(r *http.Request) (feedQuery, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return feedQuery{}, invalid(core.CodeStatusParams, "the query string", "pairs of the form name=value, percent-encoded")
	}
	q := feedQuery{
		since: status.Since{Now: true}, mode: feedContinuous, heartbeat: defaultHeartbeat,
		events: acceptsEvents(r.Header),
	}
	readers := []struct {
		name string
		read func(text string) error
	}{
		{"include_docs", q.readDocs},
		{"since", q.readSince},
		{"feed", q.readMode},
		{"heartbeat", q.readHeartbeat},
		{"timeout", q.readTimeout},
		{"app", q.readApp},
		{"status", q.readStatuses},
	}
	for _, p := range readers {
		if !values.Has(p.name) {
			continue
		}
		if err := p.read(values.Get(p.name)); err != nil {
			return feedQuery{}, err
		}
	}
	// A browser that reconnects sends it, to the URL that it began with.
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		if q.since, err = status.ParseSince(id); err != nil {
			return feedQuery{}, invalid(core.CodeStatusParams, "the header Last-Event-ID", "the id of an event of this feed")
		}
	}
	return q, nil
}

func (q *feedQuery) readDocs(text string) error {
	modes := map[string]core.DocMode{"true": core.DocAlways, "false": core.DocNever, "auto": core.DocErrors}
	mode, ok := modes[text]
	if !ok {
		return invalid(core.CodeStatusParams, "include_docs", "true, false or auto")
	}
	q.docs = mode
	return nil
}

func (q *feedQuery) readSince(text string) error {
	since, err := status.ParseSince(text)
	if err != nil {
		return invalid(core.CodeStatusParams, "since", "now, 0 or the seq of a change")
	}
	q.since = since
	return nil
}

func (q *feedQuery) readMode(text string) error {
	q.mode = feedMode(text)
	if q.mode != feedContinuous && q.mode != feedLongpoll && q.mode != feedNormal {
		return invalid(core.CodeStatusParams, "feed", "continuous, longpoll or normal")
	}
	return nil
}

func (q *feedQuery) readHeartbeat(text string) error {
	return readMillis("heartbeat", text, &q.heartbeat)
}

func (q *feedQuery) readTimeout(text string) error {
	return readMillis("timeout", text, &q.timeout)
}

func readMillis(name, text string, d *time.Duration) error {
	n, ok := parseCount(text)
	*d = time.Duration(n) * time.Millisecond
	if !ok || *d < minHeartbeat || *d > maxFeedTime {
		return invalid(core.CodeStatusParams, name,
			fmt.Sprintf("milliseconds, from %d to %d", minHeartbeat.Milliseconds(), maxFeedTime.Milliseconds()))
	}
	return nil
}

func (q *feedQuery) readApp(text string) error {
	if err := core.CheckName("app", text); err != nil {
		return core.Errorf(core.CodeStatusParams, "A parameter of the request is invalid: %v", err)
	}
	q.app = text
	return nil
}

// readStatuses reads one status, or several with commas between them.
func (q *feedQuery) readStatuses(text string) error {
	for one := range strings.SplitSeq(text, ",") {
		if !core.Status(one).Valid() {
			return invalid(core.CodeStatusParams, "status", "pending, held, ok, error, skipped or ignored; several with commas between them")
		}
		q.statuses = append(q.statuses, core.Status(one))
	}
	return nil
}

// acceptsEvents reports whether the client asks for server-sent events.
func acceptsEvents(h http.Header) bool {
	for _, value := range h.Values("Accept") {
		for accepted := range strings.SplitSeq(value, ",") {
			kind, _, _ := strings.Cut(accepted, ";")
			if strings.EqualFold(strings.TrimSpace(kind), typeEvents) {
				return true
			}
		}
	}
	return false
}
