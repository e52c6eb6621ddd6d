// Package traces exports a trace of each deployment by OpenTelemetry's protocol OTLP
// over HTTP, in its JSON encoding (opentelemetry.io/docs/specs/otlp), which every
// collector accepts. It needs no library.
//
// The id of a trace is the id of the entry. Its spans are the receipt of the delivery
// (a producer), the deployment (a consumer, with a link to the receipt), and the steps
// of the deployment. As the ids derive from that of the entry, processes that share a
// store add to the same trace without passing anything on.
package traces
