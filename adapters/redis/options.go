package redis

import (
	"cmp"
	"crypto/tls"
	"log/slog"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Options configure a Store. Addrs is required; zero durations and counts have
// defaults.
type Options struct {
	// Addrs are host:port: of the server; of several nodes of a Cluster; of
	// all the Sentinels if Master is set: others are not discovered.
	Addrs   []string
	Master  string // the name of the master in Sentinel
	Cluster bool   // even if only one node is named

	Username, SentinelUsername string
	Password, SentinelPassword core.Secret
	DB                         int         // not on a Cluster
	TLS                        *tls.Config // nil: none

	Prefix string           // of all keys; "webhooks"
	Now    func() time.Time // nil: the clock of Redis
	Logger *slog.Logger

	// CallTimeout limits a call of Redis, with all attempts; 2 s. The sender of a
	// delivery waits for as long before it is refused.
	CallTimeout time.Duration

	KeepEntries  time.Duration // outcomes; 1 year. Live entries are always kept
	KeepPayloads time.Duration // 30 days
	KeepKeys     time.Duration // how long repeats are recognized; 7 days
	KeepChanges  time.Duration // 7 days
	MaxEntries   int           // outcomes of one user; 10,000
	MaxChanges   int           // changes of one user; 10,000

	// Deliveries that may wait for Redis, and their size in bytes; 1,024 and 64 MiB.
	// More are refused with core.ErrOverloaded.
	MaxWaiting, MaxWaitingBytes int
}

func (o Options) withDefaults() Options {
	const day = 24 * time.Hour
	o.Prefix = cmp.Or(o.Prefix, "webhooks")
	o.CallTimeout = cmp.Or(o.CallTimeout, 2*time.Second)
	o.KeepEntries = cmp.Or(o.KeepEntries, 365*day)
	o.KeepPayloads = cmp.Or(o.KeepPayloads, 30*day)
	o.KeepKeys = cmp.Or(o.KeepKeys, 7*day)
	o.KeepChanges = cmp.Or(o.KeepChanges, 7*day)
	o.MaxEntries = cmp.Or(o.MaxEntries, 10_000)
	o.MaxChanges = cmp.Or(o.MaxChanges, 10_000)
	o.MaxWaiting = cmp.Or(o.MaxWaiting, 1024)
	o.MaxWaitingBytes = cmp.Or(o.MaxWaitingBytes, 64<<20)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// tryTimeout limits connecting, or one attempt of a call: it leaves time for another.
func (o Options) tryTimeout() time.Duration { return o.CallTimeout * 9 / 20 }
