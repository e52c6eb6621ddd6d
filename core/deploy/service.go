package deploy

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/safetar"
)

// Options is what Service and Worker are made of. The ports are required;
// everything else has a default.
type Options struct {
	Providers []Provider // in this order: one that others imitate comes after them
	Store     Store
	Queue     Queue
	Watcher   Watcher
	Accounts  Accounts
	Source    Source
	Forges    []string // the hosts whose repositories Source reads; "github.com" alone
	Platform  Platform
	Notifiers []Notifier // told of each outcome of a deployment
	Outbox    Outbox     // keeps what they are still to be told; nil: nothing does

	// TravisConfig tells whether a .travis.yml declares a webhook that can
	// fire on a pass of branch, and why it does or does not.
	TravisConfig func(yml []byte, branch string) (notifies bool, reason string, err error)
	// TravisKeys returns the PEM public keys of Travis CI, those that are known
	// also with an error; nil: none. missed says that a signature fits none of
	// those that it returned before.
	TravisKeys func(ctx context.Context, missed bool) ([]core.Secret, error)

	HoldTimeout   time.Duration   // how long to wait for Travis CI; 30 min
	Lease         time.Duration   // how long a claim lasts unrenewed; 30 s
	RetryDelays   []time.Duration // between tries after transient failures; 5 s to 30 min
	GiveUp        time.Duration   // age at which a deployment is not parked any more; 24 h
	Workers       int             // deployments at a time; 4
	AuthTimeout   time.Duration   // for finding out who sent a delivery; 3 s
	StoreTimeout  time.Duration   // for one call of the Store; 2 s
	StepTimeout   time.Duration   // for a step that reads or writes little; 1 min
	UploadTimeout time.Duration   // for upload and build, and for the start; 20 min
	Archive       safetar.Limits  // of a commit's tree
	Gzip          Gzip            // of tarballs
	BaseURL       string          // of this service, for links shown elsewhere; "": no links

	Now    func() time.Time // UTC
	NewID  func() string    // 32 hex digits that sort by time; required
	Jitter func() float64   // in [0,1); 0.5 always, where nil
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Forges == nil {
		o.Forges = []string{"github.com"}
	}
	orDefault(&o.HoldTimeout, 30*time.Minute)
	orDefault(&o.Lease, 30*time.Second)
	orDefault(&o.GiveUp, 24*time.Hour)
	orDefault(&o.Workers, 4)
	orDefault(&o.AuthTimeout, 3*time.Second)
	orDefault(&o.StoreTimeout, 2*time.Second)
	orDefault(&o.StepTimeout, time.Minute)
	orDefault(&o.UploadTimeout, 20*time.Minute)
	if o.RetryDelays == nil {
		o.RetryDelays = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute}
	}
	if o.TravisKeys == nil {
		o.TravisKeys = func(context.Context, bool) ([]core.Secret, error) { return nil, nil }
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

func orDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

// Service accepts deliveries and tells what became of them.
type Service struct{ o Options }

// New returns a Service.
func New(o Options) *Service { return &Service{o.withDefaults()} }

// Admit fails with http:unavailable if there are so many deliveries to be stored
// that another one would be refused; so it can be before it is read.
func (s *Service) Admit() error { return storeError(s.o.Store.Admit()) }

// storeError returns what a sender is told of an error of the Store.
func storeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, core.ErrOverloaded):
		return core.NewError(core.CodeHTTPUnavailable, "", nil) // which the store logs, once for all of them
	}
	return core.NewError(core.CodeFailedToStorePayload, "", err)
}

// Deliver proves who sent a delivery, reads its event and accepts it: when it
// returns without an error, the entry is durable and, where there is something
// to do, queued. A delivery that was accepted before is answered with its
// entry, which is taken up again where it had failed or was skipped.
//
// It fails with the codes deploy:auth:*, mw:auth:auth_server_down,
// deploy:provider:not_supported, deploy:params:invalid, and with
// deploy:db:failed_to_store_payload and, as Admit does, http:unavailable, after
// which nothing happens.
func (s *Service) Deliver(ctx context.Context, r Request) (Receipt, error) {
	if r.User != "" && !core.ValidName(r.User) {
		return Receipt{}, core.NewError(core.CodeDeployParams, "The parameter user is no valid user name", nil)
	}
	provider := s.recognize(r.Delivery)
	sender, err := s.prove(ctx, r, provider)
	if err != nil {
		return Receipt{}, err
	}
	if provider == nil {
		return Receipt{}, core.NewError(core.CodeProviderNotSupported,
			"The delivery is from no sender that is known here; send what the webhooks of a supported sender send", nil)
	}
	event, err := provider.Parse(r.Delivery)
	if err != nil {
		return Receipt{}, err
	}
	if err := s.checkForge(event.Repository); err != nil {
		return Receipt{}, err
	}
	acceptance := s.acceptance(r, provider, sender, selectEvent(event, deployBranch(r, event)))
	ctx, cancel := context.WithTimeout(ctx, s.o.StoreTimeout)
	defer cancel()
	change, repeat, err := s.known(ctx, acceptance)
	if err == nil && !repeat {
		change, repeat, err = s.o.Store.Accept(ctx, acceptance)
	}
	if err != nil {
		return Receipt{}, storeError(err)
	}
	if repeat {
		return s.repeat(ctx, change, acceptance, r.Credentials != nil)
	}
	return Receipt{Change: change}, nil
}

// recognize returns the provider of a delivery, nil if there is none.
func (s *Service) recognize(d core.Delivery) Provider {
	for _, p := range s.o.Providers {
		if p.Recognize(d) {
			return p
		}
	}
	for _, p := range s.o.Providers {
		if p.Resembles(d) {
			return p
		}
	}
	return nil
}

// known returns the user's entry of the very payload of a push that has no id
// to be known by, as of one that GitHub delivered and a person sends again,
// where that entry is at work or came to something.
func (s *Service) known(ctx context.Context, a Acceptance) (c core.Change, found bool, err error) {
	e := a.Entry
	if e.Kind != core.EventPush || e.DeliveryID != "" || a.Place == nil {
		return core.Change{}, false, nil
	}
	all, err := s.o.Store.ByCommit(ctx, e.Repository.Key(), []string{e.Commit.ID})
	for _, c := range all {
		stands := c.Entry.Status == core.StatusPending || c.Entry.Status == core.StatusHeld || c.Entry.Status == core.StatusOK
		if stands && c.Entry.User == e.User && c.Entry.Payload == e.Payload {
			return c, true, nil
		}
	}
	return core.Change{}, false, err
}

// repeat answers a delivery whose entry is there already: a new attempt where
// the one before came to nothing, else what there is. What was ignored can only
// be wanted now because the parameter branch says so; no signature covers that,
// so it takes credentials.
func (s *Service) repeat(ctx context.Context, c core.Change, a Acceptance, credentials bool) (Receipt, error) {
	ignored := c.Entry.Status == core.StatusIgnored
	again := c.Entry.Status == core.StatusError || c.Entry.Status == core.StatusSkipped || ignored && credentials
	if !again || a.Place == nil {
		return Receipt{Change: c, Repeat: true}, nil
	}
	e := c.Entry.Clone()
	s.o.renew(&e)
	e.Signature, e.Proved, e.Notes = a.Entry.Signature, a.Entry.Proved, a.Entry.Notes
	if credentials {
		e.Deploys = a.Entry.Deploys
	}
	// Only what was ignored enters its lane now for the first time; a failed push
	// that is no longer the newest must not become it again.
	var place Place
	if ignored {
		place = *a.Place
	}
	saved, err := s.o.Store.Requeue(ctx, e, 0, place)
	if errors.Is(err, core.ErrConflict) {
		// Another repeat came first: what it began is the answer.
		saved, err = s.o.Store.Find(ctx, e.ID)
		if err == nil {
			return Receipt{Change: saved, Repeat: true}, nil
		}
	}
	if err != nil {
		return Receipt{}, core.NewError(core.CodeFailedToStorePayload, "", err)
	}
	return Receipt{Change: saved}, nil
}

// renew makes an entry ready for another round of attempts.
func (o Options) renew(e *core.Entry) {
	e.Status, e.Reason, e.Error, e.Hold, e.Released, e.Releases = core.StatusPending, "", nil, nil, "", ""
	e.Failures, e.Lost, e.FinishedAt, e.UpdatedAt = 0, 0, time.Time{}, o.Now()
}

// Wait returns the entry's newest change as soon as it is an outcome or held,
// or when ctx ends: what is known by then. In place of a build report that lets
// a push go on it is the push that counts: the report's sender wants to know
// what comes of it. Wait fails with status:db:get_by_id where the entry can't be
// read.
func (s *Service) Wait(ctx context.Context, id string) (core.Change, error) {
	change, err := s.find(ctx, id)
	if err != nil {
		return core.Change{}, err
	}
	wake, stop := s.o.Watcher.Watch(change.Entry.User)
	defer stop()
	for {
		newest, err := s.find(context.WithoutCancel(ctx), id)
		if err != nil {
			return core.Change{}, err
		}
		if newest.Entry.Releases != "" {
			id = newest.Entry.Releases
			continue
		}
		if newest.Entry.Status != core.StatusPending {
			return newest, nil
		}
		select {
		case <-wake:
		case <-time.After(5 * time.Second): // a wake-up may get lost
		case <-ctx.Done():
			return newest, nil
		}
	}
}

func (s *Service) find(ctx context.Context, id string) (core.Change, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.StoreTimeout)
	defer cancel()
	change, err := s.o.Store.Find(ctx, id)
	switch {
	case errors.Is(err, core.ErrNotFound):
		return core.Change{}, core.NewError(core.CodeStatusNotFound, "", err)
	case err != nil:
		return core.Change{}, core.NewError(core.CodeStatusGetByID, "", err)
	}
	return change, nil
}

// Release lets the user's held entry go on, as its owner may. It fails with
// status:db:not_found where the user has no such entry and with
// deploy:release:not_held where it does not wait.
func (s *Service) Release(ctx context.Context, user, id string) (core.Change, error) {
	change, err := s.find(ctx, id)
	if err == nil && change.Entry.User != user {
		err = core.NewError(core.CodeStatusNotFound, "", nil)
	}
	if err != nil {
		return core.Change{}, err
	}
	if change.Entry.Status != core.StatusHeld {
		return core.Change{}, core.NewError(core.CodeNotHeld, "", nil)
	}
	released, err := s.o.release(ctx, change.Entry, "Released by its owner")
	if errors.Is(err, core.ErrConflict) {
		return core.Change{}, core.NewError(core.CodeConflict, "", err)
	}
	if err != nil {
		return core.Change{}, core.NewError(core.CodeFailedToStorePayload, "", err)
	}
	return released, nil
}

// release puts an entry back to work, past its gate.
func (o Options) release(ctx context.Context, e core.Entry, reason string) (core.Change, error) {
	e = e.Clone()
	o.renew(&e)
	e.Reason, e.Released = reason, reason
	var place Place
	if e.Kind == core.EventBuild { // until now it was in no lane
		place.Lane = lane(e)
	}
	return o.Store.Requeue(ctx, e, 0, place)
}
