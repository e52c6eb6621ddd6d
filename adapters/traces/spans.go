package traces

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/nodejitsu/webhooks/core"
)

// Received implements deploy.Tracer.
func (t *Traces) Received(ctx context.Context, e core.Entry, d core.Delivery, repeat bool, began, ended time.Time) {
	var links []trace.Link
	if sender := senderOf(ctx, d); sender.IsValid() {
		links = append(links, trace.Link{SpanContext: sender})
	}
	var span trace.Span
	if repeat {
		first := t.receipt(ctx, e).SpanContext()
		links = append(links, trace.Link{SpanContext: first})
		_, span = t.tracer.Start(trace.ContextWithRemoteSpanContext(ctx, first), receiptName(e),
			trace.WithSpanKind(trace.SpanKindProducer), trace.WithTimestamp(began), trace.WithLinks(links...))
	} else {
		span = t.receipt(ctx, e, trace.WithTimestamp(began), trace.WithLinks(links...))
	}
	span.SetAttributes(attributes(e)...)
	span.SetStatus(codes.Ok, "")
	span.End(trace.WithTimestamp(ended))
}

// senderOf returns the span that a delivery says it was sent in; an invalid one if it
// says none.
func senderOf(ctx context.Context, d core.Delivery) trace.SpanContext {
	header := propagation.HeaderCarrier(http.Header(d.Header))
	ctx = trace.ContextWithSpanContext(ctx, trace.SpanContext{})
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(ctx, header))
}

// receipt begins the span of the first receipt of e. Every process begins it with the
// same ids, and so the sampler decides the same about it; the one that received the
// delivery ends it, and so sends it.
func (t *Traces) receipt(ctx context.Context, e core.Entry, options ...trace.SpanStartOption) trace.Span {
	var of ids
	var err error
	if of.trace, err = trace.TraceIDFromHex(e.ID); err != nil { // an id of another form
		sum := sha256.Sum256([]byte(e.ID))
		copy(of.trace[:], sum[:])
	}
	sum := sha256.Sum256([]byte(e.ID + "\x00receive"))
	copy(of.span[:], sum[:])
	_, span := t.tracer.Start(context.WithValue(ctx, idsKey{}, of), receiptName(e),
		append(options, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindProducer))...)
	return span
}

func receiptName(e core.Entry) string { return "receive " + string(e.Provider) + " " + string(e.Kind) }

// Attempt implements deploy.Tracer.
func (t *Traces) Attempt(ctx context.Context, e core.Entry) (_ context.Context, ended func(core.Entry, error)) {
	receipt := t.receipt(ctx, e).SpanContext()
	ctx, span := t.tracer.Start(trace.ContextWithRemoteSpanContext(ctx, receipt), "deploy "+e.App,
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(trace.Link{SpanContext: receipt}))
	return ctx, func(e core.Entry, err error) {
		span.SetName("deploy " + e.App) // which package.json said
		span.SetAttributes(attributes(e)...)
		span.SetAttributes(attribute.Int("webhooks.attempt", e.Attempts))
		switch {
		case err != nil:
			span.SetStatus(codes.Error, err.Error())
		case e.Status == core.StatusOK:
			span.SetStatus(codes.Ok, "")
		case e.Status == core.StatusError && e.Error != nil:
			span.SetStatus(codes.Error, e.Error.Reason)
			span.SetAttributes(attribute.String("error.type", string(e.Error.Code)))
		}
		for _, s := range e.Steps {
			if s.Attempt == e.Attempts {
				t.step(ctx, s)
			}
		}
		span.End()
	}
}

// step sends the span of a step. ctx is that of its attempt.
func (t *Traces) step(ctx context.Context, s core.Step) {
	_, span := t.tracer.Start(ctx, string(s.Name), trace.WithTimestamp(s.StartedAt),
		trace.WithAttributes(attribute.String("webhooks.step.state", string(s.State))))
	if s.State == core.StepFailed || s.State == core.StepRetry {
		span.SetStatus(codes.Error, s.Detail)
	}
	span.End(trace.WithTimestamp(s.StartedAt.Add(time.Duration(s.Millis) * time.Millisecond)))
}

// Inject adds the span of ctx to the header of a request.
func Inject(ctx context.Context, h http.Header) {
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(h))
}

// attributes returns what identifies an entry. None is a credential.
func attributes(e core.Entry) []attribute.KeyValue {
	var all []attribute.KeyValue
	for _, a := range [][2]string{
		{"webhooks.entry.id", e.ID},
		{"webhooks.request.uuid", e.UUID},
		{"webhooks.user", e.User},
		{"webhooks.app", e.App},
		{"webhooks.status", string(e.Status)},
		{"webhooks.reason", e.Reason},
		{"webhooks.provider", string(e.Provider)},
		{"webhooks.event", e.Event},
		{"vcs.repository.name", e.Repository.Slug()},
		{"vcs.ref.head.name", e.Branch},
		{"vcs.ref.head.revision", e.Commit.ID},
		{"webhooks.snapshot", e.Snapshot},
	} {
		if a[1] != "" {
			all = append(all, attribute.String(a[0], a[1]))
		}
	}
	return all
}

// ids are those of a span that is not to have random ones. They are passed to the
// generator in the context of the span's start.
type ids struct {
	trace trace.TraceID
	span  trace.SpanID
}

type idsKey struct{}

// generator generates the ids of spans.
type generator struct{}

// NewIDs implements sdk.IDGenerator.
func (generator) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	of, _ := ctx.Value(idsKey{}).(ids) // each root is a receipt
	return of.trace, of.span
}

// NewSpanID implements sdk.IDGenerator.
func (generator) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	binary.NativeEndian.PutUint64(id[:], rand.Uint64()|1) //nolint:gosec // unique, not secret; never all zero
	return id
}
