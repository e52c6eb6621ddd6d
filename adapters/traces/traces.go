package traces

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/redact"
)

// name is that of the instrumentation scope.
const name = "github.com/nodejitsu/webhooks/adapters/traces"

// Traces is a [deploy.Tracer]. Spans that can't be sent are dropped: traces never delay
// a deployment.
type Traces struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

var _ deploy.Tracer = (*Traces)(nil)

// New returns Traces that are exported as the environment says, which the SDK reads; lookup
// returns its variables, see [Enabled]. version is that of the service.
func New(ctx context.Context, lookup func(variable string) string, version string, log *slog.Logger) (*Traces, error) {
	sent, err := credentials(lookup)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	described, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "webhooks"), attribute.String("service.version", version)),
		resource.WithFromEnv(), // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES
	)
	if err != nil {
		return nil, fmt.Errorf("traces: OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(&logged{SpanExporter: exporter, sent: sent, log: log}), sdk.WithResource(described), sdk.WithIDGenerator(generator{}),
	)
	return &Traces{provider: provider, tracer: provider.Tracer(name)}, nil
}

// Stop sends what is waiting, at most until ctx ends.
func (t *Traces) Stop(ctx context.Context) error {
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("traces: sending the last spans: %w", err)
	}
	return nil
}

// logged is an exporter that logs when it begins and ceases to fail. The SDK would
// report each failure to a handler of the whole process, with what the collector
// answered, which may repeat a credential.
type logged struct {
	sdk.SpanExporter

	sent    *redact.Redactor // of the credentials that the collector gets
	log     *slog.Logger
	failing atomic.Bool
}

// ExportSpans implements sdk.SpanExporter. It never fails.
func (l *logged) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := l.SpanExporter.ExportSpans(ctx, spans)
	switch was := l.failing.Swap(err != nil); {
	case err != nil && !was:
		l.log.WarnContext(ctx, "traces not sent", "error", l.sent.Error(err), "spans", len(spans))
	case err == nil && was:
		l.log.InfoContext(ctx, "traces are sent again")
	}
	return nil
}
