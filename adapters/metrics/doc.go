// Package metrics counts what the server does, and serves it in the text format of
// Prometheus.
//
// [Metrics] implements the observers of the use cases and of the HTTP API. Numbers
// that can be read, such as the length of the queue, are read when the metrics are
// asked for, see [Readings].
//
// The values of every label are from a list in the code: providers, codes of the
// catalogue, routes. A value that is not from such a list, as it may come from a
// sender or from another server, is counted as "other". So the number of series
// does not grow with users, apps or senders.
package metrics
