package metrics

import (
	"errors"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// Metrics are the metrics of one server. Its methods may be called concurrently.
type Metrics struct {
	registry *prometheus.Registry

	deliveries      *prometheus.CounterVec
	deliveryTime    *prometheus.HistogramVec
	outcomes        *prometheus.CounterVec
	outcomeTime     *prometheus.HistogramVec
	stepTime        *prometheus.HistogramVec
	storeCallTime   *prometheus.HistogramVec
	storeCallErrors *prometheus.CounterVec
	requests        *prometheus.CounterVec
	requestTime     *prometheus.HistogramVec
	readErrors      *prometheus.CounterVec

	descs descs
	codes map[core.Code]bool // the catalogue
}

var _ deploy.Observer = (*Metrics)(nil)

// New returns Metrics that have counted nothing yet. version is that of the
// program.
func New(version string) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(), descs: newDescs(), codes: map[core.Code]bool{},

		deliveries: counter("webhooks_deliveries_total",
			"Deliveries, by provider, event and the error code of the answer (ok: accepted).", "provider", "event", "code"),
		deliveryTime: histogram("webhooks_delivery_duration_seconds",
			"Time to accept or refuse a delivery, without the wait for its outcome.", quick(), "code"),
		outcomes: counter("webhooks_outcomes_total",
			"Entries that have an outcome, by status and error code (ok: no error).", "status", "code"),
		outcomeTime: histogram("webhooks_outcome_duration_seconds",
			"Time from the acceptance of a delivery to its outcome.", slow(), "status"),
		stepTime: histogram("webhooks_step_duration_seconds",
			"Duration of the steps of deployments.", slow(), "step", "state"),
		storeCallTime: histogram("webhooks_store_call_duration_seconds",
			"Duration of calls of the store.", quick(), "call"),
		storeCallErrors: counter("webhooks_store_call_errors_total",
			"Calls of the store that failed, other than because an entry was not found or has changed.", "call"),
		requests: counter("webhooks_http_requests_total",
			"Requests to the webhooks API, by method, route and status.", "method", "route", "status"),
		requestTime: histogram("webhooks_http_request_duration_seconds",
			"Time to answer a request to the webhooks API, with the wait for an outcome if the client asks for it.", slow(), "method", "route"),
		readErrors: counter("webhooks_metrics_read_errors_total",
			"Numbers that could not be read when the metrics were asked for.", "metric"),
	}
	for _, c := range core.Codes() {
		m.codes[c] = true
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "webhooks_build_info", Help: "Always 1; the labels have the version of the program and of Go.",
	}, []string{"version", "goversion"})
	build.WithLabelValues(version, runtime.Version()).Set(1)
	m.registry.MustRegister(
		m.deliveries, m.deliveryTime, m.outcomes, m.outcomeTime, m.stepTime, m.storeCallTime, m.storeCallErrors,
		m.requests, m.requestTime, m.readErrors, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// quick are the buckets of what takes milliseconds, in seconds.
func quick() []float64 {
	return []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5}
}

// slow are the buckets of what may wait for others, in seconds.
func slow() []float64 {
	return []float64{.005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800}
}

// Delivery implements deploy.Observer.
func (m *Metrics) Delivery(p core.Provider, k core.EventKind, refused core.Code, took time.Duration) {
	m.deliveries.WithLabelValues(provider(p), event(k), m.code(refused)).Inc()
	m.deliveryTime.WithLabelValues(m.code(refused)).Observe(took.Seconds())
}

// Outcome implements deploy.Observer.
func (m *Metrics) Outcome(status core.Status, failed core.Code, after time.Duration) {
	m.outcomes.WithLabelValues(string(status), m.code(failed)).Inc()
	m.outcomeTime.WithLabelValues(string(status)).Observe(after.Seconds())
}

// Step implements deploy.Observer.
func (m *Metrics) Step(name core.StepName, state core.StepState, took time.Duration) {
	m.stepTime.WithLabelValues(string(name), string(state)).Observe(took.Seconds())
}

// StoreCall implements deploy.Observer.
func (m *Metrics) StoreCall(name string, took time.Duration, err error) {
	m.storeCallTime.WithLabelValues(name).Observe(took.Seconds())
	failures := m.storeCallErrors.WithLabelValues(name)
	if err != nil && !errors.Is(err, core.ErrNotFound) && !errors.Is(err, core.ErrConflict) {
		failures.Inc()
	}
}

// Request counts a request to the API. The route is the pattern that matched, ""
// if none did, and the method a known one.
func (m *Metrics) Request(method, route string, status int, took time.Duration) {
	if route == "" {
		route = other
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.requestTime.WithLabelValues(method, route).Observe(took.Seconds())
}

// other is the value of a label for all values that are not known.
const other = "other"

func provider(p core.Provider) string {
	switch p {
	case core.ProviderGitHub, core.ProviderTravis, core.ProviderGitLab, core.ProviderGitea, core.ProviderBitbucket:
		return string(p)
	case "":
		return "unknown"
	}
	return other
}

func event(k core.EventKind) string {
	if k == "" {
		return "unknown"
	}
	return string(k)
}

// code returns the label of a code. A code that another server has answered may not
// be in the catalogue.
func (m *Metrics) code(c core.Code) string {
	switch {
	case c == "":
		return "ok"
	case m.codes[c]:
		return string(c)
	}
	return other
}
