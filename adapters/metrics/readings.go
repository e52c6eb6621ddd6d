package metrics

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/nodejitsu/webhooks/core/deploy"
)

// Readings are functions that return a number of this moment. They are called each
// time that the metrics are asked for, and never while a delivery is accepted. What
// is nil has no metric.
type Readings struct {
	Backlog     func(ctx context.Context) (deploy.Backlog, error) // of the queue
	ClockBehind func() time.Duration                              // how far the clock is behind the newest entry
	FeedReaders func() int                                        // readers of changes that are connected
	Drones      func() Drones                                     // of the embedded platform
	Disk        func() Disk                                       // of the embedded platform
}

// Disk is the disk space of a platform in bytes.
type Disk struct {
	Free   int64 // of the disk
	Used   int64 // by snapshots, builds and caches, when it was measured last
	Budget int64 // for these; 0: no limit
}

// Drones are the drones and apps of a platform.
type Drones struct {
	Ready  int // that accept connections
	Wanted int // that the platform keeps up
	// Apps is the number of apps by what they are doing, such as "started" or
	// "crashed".
	Apps map[string]int
}

// readTimeout limits how long the metrics wait for a number.
const readTimeout = 5 * time.Second

// Handler serves the metrics in the text format of Prometheus.
func (m *Metrics) Handler(r Readings) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ctx, cancel := context.WithTimeout(req.Context(), readTimeout)
		defer cancel()
		promhttp.HandlerFor(m.Gatherer(ctx, r), promhttp.HandlerOpts{}).ServeHTTP(w, req)
	})
}

// Gatherer returns the metrics, with the numbers that r reads within ctx.
func (m *Metrics) Gatherer(ctx context.Context, r Readings) prometheus.Gatherer {
	now := prometheus.NewRegistry()
	now.MustRegister(&reading{ctx: ctx, m: m, r: r})
	return prometheus.Gatherers{now, m.registry}
}

// reading collects what is read when the metrics are asked for.
type reading struct {
	ctx context.Context //nolint:containedctx // Collect has no parameter for it
	m   *Metrics
	r   Readings
}

// Describe implements prometheus.Collector.
func (c *reading) Describe(all chan<- *prometheus.Desc) {
	d := c.m.descs
	for _, one := range []*prometheus.Desc{d.queueEntries, d.queueAge, d.clockBehind, d.feedReaders, d.dronesReady, d.dronesWanted, d.apps, d.diskFree, d.diskUsed, d.diskBudget} {
		all <- one
	}
}

// Collect implements prometheus.Collector.
func (c *reading) Collect(metrics chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	if c.r.Backlog != nil {
		b, err := c.r.Backlog(c.ctx)
		failures := c.m.readErrors.WithLabelValues("queue")
		if err != nil {
			failures.Inc()
		} else {
			gauge(c.m.descs.queueEntries, float64(b.Ready), "ready")
			gauge(c.m.descs.queueEntries, float64(b.Delayed), "delayed")
			gauge(c.m.descs.queueEntries, float64(b.Claimed), "claimed")
			gauge(c.m.descs.queueAge, age(b.Oldest, time.Now()))
		}
	}
	if c.r.ClockBehind != nil {
		gauge(c.m.descs.clockBehind, c.r.ClockBehind().Seconds())
	}
	if c.r.FeedReaders != nil {
		gauge(c.m.descs.feedReaders, float64(c.r.FeedReaders()))
	}
	if c.r.Disk != nil {
		d := c.r.Disk()
		gauge(c.m.descs.diskFree, float64(d.Free))
		gauge(c.m.descs.diskUsed, float64(d.Used))
		gauge(c.m.descs.diskBudget, float64(d.Budget))
	}
	if c.r.Drones != nil {
		d := c.r.Drones()
		gauge(c.m.descs.dronesReady, float64(d.Ready))
		gauge(c.m.descs.dronesWanted, float64(d.Wanted))
		for state, n := range d.Apps {
			gauge(c.m.descs.apps, float64(n), state)
		}
	}
}

// age returns how many seconds ago since was, 0 for the zero time and for one in
// the future.
func age(since, now time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(0, now.Sub(since).Seconds())
}

// descs describe the metrics that are read when the metrics are asked for.
type descs struct {
	queueEntries, queueAge, clockBehind, feedReaders, dronesReady, dronesWanted, apps, diskFree, diskUsed, diskBudget *prometheus.Desc
}

func newDescs() descs {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return descs{
		queueEntries: desc("webhooks_queue_entries",
			"Entries of the queue: ready to be worked on, delayed (held or waiting for a retry), or claimed (being worked on).", "state"),
		queueAge: desc("webhooks_queue_oldest_age_seconds",
			"For how long the first of the ready entries has been ready; 0 if there is none."),
		clockBehind: desc("webhooks_clock_behind_seconds",
			"How far the clock is behind the newest entry that was stored before the start; more than 0 if one of the two times is wrong."),
		feedReaders:  desc("webhooks_feed_readers", "Connected readers of the change feed."),
		dronesReady:  desc("webhooks_drones_ready", "Drones of the embedded platform that accept connections."),
		dronesWanted: desc("webhooks_drones_wanted", "Drones that the embedded platform keeps up."),
		apps:         desc("webhooks_apps", "Apps of the embedded platform that run or should, by state.", "state"),
		diskFree:     desc("webhooks_disk_free_bytes", "Free space of the disk with the embedded platform's files."),
		diskUsed:     desc("webhooks_disk_used_bytes", "Disk space that snapshots, builds and caches used when it was measured last."),
		diskBudget:   desc("webhooks_disk_budget_bytes", "Disk space that they may use; 0: no limit."),
	}
}
