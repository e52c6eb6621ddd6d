package traces

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// The kinds of spans and the codes of statuses, as OTLP numbers them.
const (
	kindInternal = 1
	kindProducer = 4
	kindConsumer = 5

	statusUnset = 0
	statusOK    = 1
	statusError = 2
)

// span is a span in the JSON encoding of OTLP: ids are hex, and 64-bit numbers text.
type span struct {
	TraceID    string      `json:"traceId"`
	SpanID     string      `json:"spanId"`
	ParentID   string      `json:"parentSpanId,omitempty"`
	Name       string      `json:"name"`
	Kind       int         `json:"kind"`
	Start      string      `json:"startTimeUnixNano"`
	End        string      `json:"endTimeUnixNano"`
	Attributes []attribute `json:"attributes"`
	Links      []link      `json:"links,omitempty"`
	Status     status      `json:"status"`
}

type attribute struct {
	Key   string `json:"key"`
	Value value  `json:"value"`
}

type value struct {
	Text string `json:"stringValue"`
}

type link struct {
	TraceID string `json:"traceId"`
	SpanID  string `json:"spanId"`
}

type status struct {
	Code    int    `json:"code"`
	Message string `json:"message,omitempty"`
}

// Received implements deploy.Tracer.
func (t *Traces) Received(e core.Entry, repeat bool, began, ended time.Time) {
	s := span{
		TraceID: e.ID, SpanID: receiptID(e), Name: "receive " + string(e.Provider) + " " + string(e.Kind), Kind: kindProducer,
		Start: nanos(began), End: nanos(ended), Attributes: attributes(e), Status: status{Code: statusOK},
	}
	if repeat { // the first receipt has that id
		s.SpanID, s.Links = randomID(), []link{{e.ID, receiptID(e)}}
	}
	t.add(s)
}

// Finished implements deploy.Tracer.
func (t *Traces) Finished(e core.Entry) {
	revision := strconv.FormatInt(e.Revision, 10)
	s := span{
		TraceID: e.ID, SpanID: spanID(e, "deploy", revision), ParentID: receiptID(e), Name: "deploy " + e.App, Kind: kindConsumer,
		Start: nanos(e.CreatedAt), End: nanos(e.FinishedAt), Attributes: attributes(e), Links: []link{{e.ID, receiptID(e)}},
	}
	switch e.Status {
	case core.StatusOK:
		s.Status.Code = statusOK
	case core.StatusError:
		s.Status.Code = statusError
		if e.Error != nil {
			s.Status.Message = e.Error.Reason
			s.Attributes = append(s.Attributes, attribute{"error.type", value{string(e.Error.Code)}})
		}
	case core.StatusSkipped, core.StatusIgnored, core.StatusPending, core.StatusHeld:
		s.Status = status{statusUnset, e.Reason}
	}
	t.add(s)
	for i, step := range e.Steps {
		child := span{
			TraceID: e.ID, SpanID: spanID(e, "step "+strconv.Itoa(i), revision), ParentID: s.SpanID, Name: string(step.Name), Kind: kindInternal,
			Start: nanos(step.StartedAt), End: nanos(step.StartedAt.Add(time.Duration(step.Millis) * time.Millisecond)),
			Attributes: []attribute{{"webhooks.step.state", value{string(step.State)}}, {"webhooks.step.attempt", value{strconv.Itoa(step.Attempt)}}},
		}
		if step.State == core.StepFailed || step.State == core.StepRetry {
			child.Status = status{statusError, step.Detail}
		}
		t.add(child)
	}
}

// attributes returns what identifies an entry. None is a credential.
func attributes(e core.Entry) []attribute {
	var all []attribute
	for _, a := range [][2]string{
		{"webhooks.entry.id", e.ID},
		{"webhooks.request.uuid", e.UUID},
		{"webhooks.user", e.User},
		{"webhooks.app", e.App},
		{"webhooks.status", string(e.Status)},
		{"webhooks.provider", string(e.Provider)},
		{"webhooks.event", e.Event},
		{"vcs.repository.name", e.Repository.Slug()},
		{"vcs.ref.head.name", e.Branch},
		{"vcs.ref.head.revision", e.Commit.ID},
		{"webhooks.snapshot", e.Snapshot},
	} {
		if a[1] != "" {
			all = append(all, attribute{a[0], value{a[1]}})
		}
	}
	return all
}

// receiptID returns the id of the span of an entry's first receipt.
func receiptID(e core.Entry) string { return spanID(e, "receive", "") }

// spanID returns an id that derives from the entry.
func spanID(e core.Entry, name, revision string) string {
	sum := sha256.Sum256([]byte(e.ID + "\x00" + name + "\x00" + revision))
	return hex.EncodeToString(sum[:8])
}

func randomID() string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// nanos returns a time as OTLP encodes it.
func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

// request returns the body of a request.
func request(service, version string, spans []span) any {
	type object = map[string]any
	return object{"resourceSpans": []object{{
		"resource": object{"attributes": []attribute{{"service.name", value{service}}, {"service.version", value{version}}}},
		"scopeSpans": []object{{
			"scope": object{"name": "github.com/nodejitsu/webhooks/adapters/traces"},
			"spans": spans,
		}},
	}}}
}
