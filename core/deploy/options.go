package deploy

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/safetar"
)

// Options configures a Service and a Worker. The ports are required unless their
// comment says what nil means; everything else has a default.
type Options struct {
	// Providers are asked in this order whose delivery it is: one whose headers
	// others send too comes after those.
	Providers []Provider
	// Keys are those of the providers that sign with keys of their own, such as
	// Travis CI. The deliveries of all others are signed with users' secrets.
	Keys map[core.Provider]KeySource
	// Forges are those that repositories are read from, by host.
	Forges map[string]Forge
	// Gates are asked in this order whether a push has to wait. The first that
	// requires it is the push's gate.
	Gates []Gate

	Store     Store
	Queue     Queue
	Watcher   Watcher
	Accounts  Accounts
	Platform  Platform
	Notifiers []Notifier // of each outcome of a deployment
	Outbox    Outbox     // nil: notifications that a process did not send before its end are lost
	Observer  Observer   // nil: none
	Tracer    Tracer     // nil: none

	HoldTimeout   time.Duration   // how long a push waits for its gate; 30 min
	LongestHold   time.Duration   // how long at most while a check that counts is running; 2 h, or HoldTimeout if that is longer
	GateInterval  time.Duration   // between two looks at the checks of a held push, and before the one look for reports; 1 min
	GateEmpty     time.Duration   // after what time a push has no checks; 5 × GateInterval
	GateSettle    time.Duration   // how long to wait for more checks after all have passed; GateInterval / 4
	Lease         time.Duration   // how long a claim lasts unless it is renewed; 30 s
	RetryDelays   []time.Duration // between attempts after temporary failures; 5 s to 30 min
	GiveUp        time.Duration   // age from which on a deployment waits for no rate limit; 24 h
	Workers       int             // concurrent deployments; 4
	AuthTimeout   time.Duration   // for authenticating the sender of a delivery; 3 s
	StoreTimeout  time.Duration   // for one call of the Store; 2 s
	StepTimeout   time.Duration   // for a step that reads or writes little; 1 min
	UploadTimeout time.Duration   // for upload and build, and for the start; 20 min
	Archive       safetar.Limits
	Gzip          Gzip   // of tarballs
	BaseURL       string // of this service, for links to it; "": no links

	Now    func() time.Time // UTC; time.Now
	NewID  func() string    // 32 hex digits, different each time; required
	Jitter func() float64   // in [0,1); always 0.5
	Logger *slog.Logger     // discards
}

func (o Options) withDefaults() Options {
	o.HoldTimeout = cmp.Or(o.HoldTimeout, 30*time.Minute)
	o.LongestHold = max(cmp.Or(o.LongestHold, 2*time.Hour), o.HoldTimeout)
	o.GateInterval = cmp.Or(o.GateInterval, time.Minute)
	o.GateEmpty = cmp.Or(o.GateEmpty, 5*o.GateInterval)
	o.GateSettle = cmp.Or(o.GateSettle, o.GateInterval/4)
	o.Lease = cmp.Or(o.Lease, 30*time.Second)
	o.GiveUp = cmp.Or(o.GiveUp, 24*time.Hour)
	o.Workers = cmp.Or(o.Workers, 4)
	o.AuthTimeout = cmp.Or(o.AuthTimeout, 3*time.Second)
	o.StoreTimeout = cmp.Or(o.StoreTimeout, 2*time.Second)
	o.StepTimeout = cmp.Or(o.StepTimeout, time.Minute)
	o.UploadTimeout = cmp.Or(o.UploadTimeout, 20*time.Minute)
	if o.RetryDelays == nil {
		o.RetryDelays = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute}
	}
	if len(o.Notifiers) == 0 {
		o.Outbox = nil // there is nothing to send
	}
	if o.Observer == nil {
		o.Observer = noObserver{}
	}
	if o.Tracer == nil {
		o.Tracer = noTracer{}
	}
	if o.Now == nil {
		o.Now = func() time.Time { return time.Now().UTC() }
	}
	if o.Jitter == nil {
		o.Jitter = func() float64 { return 0.5 }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
