package bolt

import (
	"cmp"
	"log/slog"
	"time"
)

// Options configure a Store. Zero durations and counts have defaults.
type Options struct {
	Path   string           // of the file; its folder is created if it is missing
	Now    func() time.Time // time.Now, whose monotonic reading leases follow
	Logger *slog.Logger

	KeepEntries  time.Duration // outcomes; 1 year. Live entries are always kept
	KeepPayloads time.Duration // 30 days
	KeepKeys     time.Duration // how long repeats are recognized; 7 days
	KeepChanges  time.Duration // 7 days
	MaxEntries   int           // outcomes of one user; 10,000
	MaxChanges   int           // changes of one user; 10,000

	// Deliveries that may wait for the disk, and their size in bytes; 1,024 and
	// 64 MiB. More are refused with core.ErrOverloaded.
	MaxWaiting, MaxWaitingBytes int
}

func (o Options) withDefaults() Options {
	const day = 24 * time.Hour
	o.KeepEntries = cmp.Or(o.KeepEntries, 365*day)
	o.KeepPayloads = cmp.Or(o.KeepPayloads, 30*day)
	o.KeepKeys = cmp.Or(o.KeepKeys, 7*day)
	o.KeepChanges = cmp.Or(o.KeepChanges, 7*day)
	o.MaxEntries = cmp.Or(o.MaxEntries, 10_000)
	o.MaxChanges = cmp.Or(o.MaxChanges, 10_000)
	o.MaxWaiting = cmp.Or(o.MaxWaiting, 1024)
	o.MaxWaitingBytes = cmp.Or(o.MaxWaitingBytes, 64<<20)
	if o.Now == nil {
		o.Now = time.Now // not in UTC, which has no monotonic reading
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
