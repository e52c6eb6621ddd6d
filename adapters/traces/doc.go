// Package traces exports a trace of each deployment by OpenTelemetry's SDK, which
// reads its usual variables of the environment
// (opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables).
//
// The id of a trace is the id of the entry. Its spans are the receipt of the delivery
// (a producer), each attempt to deploy it (a consumer, with a link to the receipt), and
// the steps of the attempt. The id of the receipt's span derives from that of the
// entry, so processes that share a store add to the same trace without passing
// anything on.
//
// A sender may send a traceparent (w3.org/TR/trace-context): the receipt's span links
// to it. It is not the parent, as anyone could then choose what is sampled.
package traces
