package deploy

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Service accepts deliveries and reports what became of them.
type Service struct{ *engine }

// New returns a Service.
func New(o Options) *Service { return &Service{newEngine(o)} }

// Admit fails with http:unavailable if so many deliveries wait to be stored that
// another one would be refused; so it can be refused before it is read.
func (s *Service) Admit() error { return storeError(s.Store.Admit()) }

// storeError returns what the sender is answered if the Store fails.
func storeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, core.ErrOverloaded):
		return core.NewError(core.CodeHTTPUnavailable, "", nil) // the store logs it, once for all deliveries
	}
	return core.NewError(core.CodeFailedToStorePayload, "", err)
}

// Deliver authenticates the sender of a delivery, reads its event and accepts it:
// when it returns without an error, the entry is durable and, if there is
// something to do, queued. A delivery that was accepted before is answered with
// its entry, which starts another round of attempts if it had failed or was
// skipped.
//
// It fails with the codes deploy:auth:*, mw:auth:auth_server_down,
// deploy:provider:not_supported, deploy:forge:not_configured,
// deploy:params:invalid, and with deploy:db:failed_to_store_payload and, as Admit
// does, http:unavailable, after which nothing happens.
func (s *Service) Deliver(ctx context.Context, r Request) (Receipt, error) {
	begin := s.Now()
	receipt, event, err := s.deliver(ctx, r)
	end := s.Now()
	s.Observer.Delivery(event.Provider, event.Kind, core.CodeOf(err), end.Sub(begin))
	if err == nil {
		s.Tracer.Received(ctx, receipt.Change.Entry, r.Delivery, receipt.Repeat, begin, end)
	}
	return receipt, err
}

func (s *Service) deliver(ctx context.Context, r Request) (Receipt, core.Event, error) {
	if r.User != "" {
		if err := core.CheckName("user", r.User); err != nil {
			return Receipt{}, core.Event{}, core.Errorf(core.CodeDeployParams, "The parameter user is invalid: %v", err)
		}
	}
	provider := s.recognize(r.Delivery)
	from, err := s.authenticate(ctx, r, provider)
	if err != nil {
		return Receipt{}, core.Event{}, err
	}
	if provider == nil {
		return Receipt{}, core.Event{}, core.NewError(core.CodeProviderNotSupported,
			"The delivery is from no sender that is known here; send what the webhooks of a supported sender send", nil)
	}
	event, err := provider.Parse(r.Delivery)
	if err != nil {
		return Receipt{}, core.Event{Provider: provider.Name()}, err
	}
	target, err := s.target(ctx, r, from)
	if err != nil {
		return Receipt{}, event, err
	}
	event = selectEvent(event, deployBranch(target, event))
	if err := s.checkForge(event.Repository); err != nil {
		return Receipt{}, event, err
	}
	receipt, err := s.accept(ctx, s.acceptance(r, provider, from, target, event), from.attended)
	return receipt, event, err
}

// recognize returns the provider of a delivery, nil if there is none.
func (s *Service) recognize(d core.Delivery) Provider {
	for _, p := range s.Providers {
		if p.Recognize(d) {
			return p
		}
	}
	for _, p := range s.Providers {
		if p.Resembles(d) {
			return p
		}
	}
	return nil
}

// checkForge returns an error if the repository of an event is not on one of the
// forges that are configured. A repository of the same name on another forge is
// another repository. An event without a repository has nothing to deploy.
func (s *Service) checkForge(r core.Repository) error {
	switch {
	case r.Name == "" || s.Forges[r.Forge] != nil:
		return nil
	case r.Forge == "":
		return core.Errorf(core.CodeForgeUnknown,
			"%s: the payload does not say which one has the repository %s. Update the sender, so that it sends the repository's address",
			core.Reason(core.CodeForgeUnknown), r.Slug())
	}
	return core.Errorf(core.CodeForgeUnknown, "%s: the repository %s is on %s, and this server deploys from %s. %s",
		core.Reason(core.CodeForgeUnknown), r.Slug(), r.Forge, strings.Join(slices.Sorted(maps.Keys(s.Forges)), ", "), core.Remedy(core.CodeForgeUnknown))
}

// accept stores a delivery, unless it is a repeat. attended reports whether its sender
// authenticated with credentials.
func (s *Service) accept(ctx context.Context, a Acceptance, attended bool) (Receipt, error) {
	// One limit for all: the sender does not wait longer for two calls.
	ctx, cancel := context.WithTimeout(ctx, s.StoreTimeout)
	defer cancel()
	change, repeat, err := s.known(ctx, a)
	if err == nil && !repeat {
		change, repeat, err = s.add(ctx, a)
	}
	if err == nil && repeat && attended && a.Entry.DeliveryID == "" {
		change, repeat, err = s.unlessOutdated(ctx, change, a)
	}
	if err != nil {
		return Receipt{}, storeError(err)
	}
	if repeat {
		return s.repeat(ctx, change, a)
	}
	return Receipt{Change: change}, nil
}

// add calls Store.Accept.
func (s *Service) add(ctx context.Context, a Acceptance) (change core.Change, repeat bool, err error) {
	err = s.call(ctx, "accept", func(ctx context.Context) error {
		change, repeat, err = s.Store.Accept(ctx, a)
		return err
	})
	return change, repeat, err
}

// unlessOutdated returns the entry c that a delivery repeats, unless something newer
// was deployed since: then the delivery is a new one, as of a script that goes back to
// a commit. Its sender is the user, and gave it no id that would say otherwise.
func (s *Service) unlessOutdated(ctx context.Context, c core.Change, a Acceptance) (core.Change, bool, error) {
	if c.Entry.Status != core.StatusOK || c.Entry.App == "" || a.Place == nil {
		return c, true, nil
	}
	newest, found, err := s.lastDeployed(ctx, c.Entry.User, c.Entry.App)
	if err != nil || !found || newest.ID == c.Entry.ID {
		return c, true, err
	}
	a.Key += "!" + newest.ID // the same one again repeats this one
	return s.add(ctx, a)
}

// lastDeployed returns the entry that deployed last. A rollback or a restart starts
// what was deployed before.
func (s *Service) lastDeployed(ctx context.Context, user, app string) (core.Entry, bool, error) {
	const most = 100 // failures and the like since then
	var entries []core.Entry
	err := s.call(ctx, "entries", func(ctx context.Context) (err error) {
		entries, _, err = s.Store.Entries(ctx, user, app, 0, most)
		return err
	})
	for _, e := range entries {
		if e.Status == core.StatusOK && e.Snapshot != "" && (e.Provider != core.ProviderPlatform || e.Event == eventDeploy) {
			return e, true, err
		}
	}
	return core.Entry{}, false, err
}

// isGone reports whether what an entry deployed is gone although nothing newer was
// deployed: the app was destroyed, the snapshot removed or the version rolled back.
func (s *Service) isGone(ctx context.Context, e core.Entry) bool {
	if e.Status != core.StatusOK || e.App == "" || e.Snapshot == "" {
		return false
	}
	if newest, found, err := s.lastDeployed(ctx, e.User, e.App); err != nil || found && newest.ID != e.ID {
		return false
	}
	app, err := s.Platform.FindApp(ctx, e.User, e.App)
	if err != nil {
		return errors.Is(err, core.ErrNotFound)
	}
	return !slices.Contains(app.Snapshots, e.Snapshot) || app.Running != "" && app.Running != e.Snapshot
}

// known returns the user's entry that has the payload of a push without a
// delivery id, such as a delivery that a person saved and sends again, if that
// entry is live or was deployed.
func (s *Service) known(ctx context.Context, a Acceptance) (c core.Change, found bool, err error) {
	e := a.Entry
	if e.Kind != core.EventPush || e.DeliveryID != "" || a.Place == nil {
		return core.Change{}, false, nil
	}
	all, err := s.byCommit(ctx, core.Entry{Repository: e.Repository, Commit: e.Commit})
	for _, c := range all {
		counts := !c.Entry.Status.Outcome() || c.Entry.Status == core.StatusOK
		if counts && c.Entry.User == e.User && c.Entry.Payload == e.Payload && c.Entry.Target.Equal(e.Target) {
			return c, true, nil
		}
	}
	return core.Change{}, false, err
}

// repeat answers a delivery that has an entry already: with another round of
// attempts if the entry failed or was skipped, or what it deployed is gone, else with
// the entry.
func (s *Service) repeat(ctx context.Context, c core.Change, a Acceptance) (Receipt, error) {
	again := c.Entry.Status == core.StatusError || c.Entry.Status == core.StatusSkipped
	if a.Place == nil || !again && !s.isGone(ctx, c.Entry) {
		return Receipt{Change: c, Repeat: true}, nil
	}
	e := c.Entry.Clone()
	s.restart(&e)
	e.Signature, e.Authentic, e.Notes = a.Entry.Signature, a.Entry.Authentic, a.Entry.Notes
	var saved core.Change
	err := s.call(ctx, "requeue", func(ctx context.Context) (err error) {
		// It keeps its place in its lane: it must not become the newest again.
		saved, err = s.Store.Requeue(ctx, e, 0, Place{})
		return err
	})
	if errors.Is(err, core.ErrConflict) {
		// Another repeat came first: what it started is the answer.
		if saved, err = s.lookup(ctx, e.ID); err == nil {
			return Receipt{Change: saved, Repeat: true}, nil
		}
	}
	if err != nil {
		return Receipt{}, core.NewError(core.CodeFailedToStorePayload, "", err)
	}
	return Receipt{Change: saved}, nil
}

// missedWake is after what time Wait looks at an entry even if nothing woke it.
const missedWake = 5 * time.Second

// Wait returns the newest change of an entry as soon as it is an outcome or held,
// or when ctx ends: what is known by then. If the entry is a build report that
// released a push of its user, it is the push that Wait waits for and returns. It
// fails with status:db:get_by_id if the entry can't be read.
func (s *Service) Wait(ctx context.Context, id string) (core.Change, error) {
	change, err := s.find(ctx, id)
	if err != nil {
		return core.Change{}, err
	}
	wake, stop := s.Watcher.Watch(change.Entry.User)
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
		case <-time.After(missedWake):
		case <-ctx.Done():
			return newest, nil
		}
	}
}
