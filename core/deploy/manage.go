package deploy

import (
	"context"
	"errors"
	"slices"

	"github.com/nodejitsu/webhooks/core"
)

// own returns an entry of the user.
func (s *Service) own(ctx context.Context, user, id string) (core.Entry, error) {
	change, err := s.find(ctx, id)
	if err == nil && change.Entry.User != user {
		err = core.NewError(core.CodeStatusNotFound, "", nil)
	}
	return change.Entry, err
}

// Release deploys the user's held entry without waiting for its gate, as its
// owner may. It fails with status:db:not_found if the user has no such entry and
// with deploy:release:not_held if it is not held.
func (s *Service) Release(ctx context.Context, user, id string) (core.Change, error) {
	e, err := s.own(ctx, user, id)
	if err != nil {
		return core.Change{}, err
	}
	if e.Status != core.StatusHeld {
		return core.Change{}, core.NewError(core.CodeNotHeld, "", nil)
	}
	released, err := s.release(ctx, e, "Released by its owner")
	if errors.Is(err, core.ErrConflict) {
		return core.Change{}, core.NewError(core.CodeConflict, "", err)
	}
	if err != nil {
		return core.Change{}, core.NewError(core.CodeFailedToStorePayload, "", err)
	}
	return released, nil
}

// Redeliver delivers the payload of the user's entry again, as a delivery of now that
// its user makes: it is deployed even if the app runs the commit already, or something
// newer. uuid is of the request. It fails with status:db:not_found if the user has no
// such entry, with deploy:redeliver:live while that has no outcome, and with
// deploy:redeliver:no_payload if there is no payload any more.
func (s *Service) Redeliver(ctx context.Context, user, id, uuid string) (core.Change, error) {
	e, err := s.own(ctx, user, id)
	switch {
	case err != nil:
		return core.Change{}, err
	case !e.Status.Outcome():
		return core.Change{}, core.NewError(core.CodeRedeliverLive, "", nil)
	}
	at := slices.IndexFunc(s.Providers, func(p Provider) bool { return p.Name() == e.Provider })
	var payload []byte
	err = s.call(ctx, "payload", func(ctx context.Context) error {
		payload, err = s.Store.Payload(ctx, id)
		return err
	})
	switch {
	case at < 0, errors.Is(err, core.ErrNotFound), err == nil && len(payload) == 0:
		return core.Change{}, core.NewError(core.CodeRedeliverNoPayload, "", err)
	case err != nil:
		return core.Change{}, core.NewError(core.CodeStatusGetByID, "", err)
	}
	provider := s.Providers[at]
	r := Request{UUID: uuid, Delivery: core.Delivery{Body: payload, Payload: payload, Email: e.Email}}
	event, err := provider.Parse(r.Delivery)
	if err != nil {
		return core.Change{}, err
	}
	event = selectEvent(event, deployBranch(e.Target, event))
	if err := s.checkForge(event.Repository); err != nil {
		return core.Change{}, err
	}
	from := sender{user: user, signature: core.SignatureNone, attended: true, authentic: true}
	a := s.acceptance(r, provider, from, e.Target, event)
	a.Key, a.Entry.Again, a.Entry.RedeliveryOf = "", true, e.ID
	change, _, err := s.add(ctx, a)
	return change, storeError(err)
}

// maxTries is how often Cancel tries to finish an entry that is changed meanwhile.
const maxTries = 10

// Cancel ends the user's pending or held entry. It fails with status:db:not_found if
// the user has no such entry, with deploy:cancel:over if that has an outcome, and with
// deploy:cancel:starting if the app is being started, which can't be undone.
func (s *Service) Cancel(ctx context.Context, user, id string) (core.Change, error) {
	var conflict error
	for range maxTries {
		e, err := s.own(ctx, user, id)
		switch {
		case err != nil:
			return core.Change{}, err
		case e.Status.Outcome():
			return core.Change{}, core.NewError(core.CodeCancelOver, "", nil)
		case isStarting(e):
			return core.Change{}, core.NewError(core.CodeCancelStarting, "", nil)
		}
		// Whoever works on the entry can't save it after this, and so does not start
		// the app.
		conflict = s.settle(ctx, e, core.StatusSkipped, "Canceled by its owner")
		switch {
		case conflict == nil:
			return s.find(ctx, id)
		case !errors.Is(conflict, core.ErrConflict):
			return core.Change{}, core.NewError(core.CodeFailedToStorePayload, "", conflict)
		}
	}
	return core.Change{}, core.NewError(core.CodeConflict, "", conflict)
}

// isStarting reports whether the app of an entry is being started.
func isStarting(e core.Entry) bool {
	n := len(e.Steps)
	return n > 0 && e.Steps[n-1].Name == core.StepStart && e.Steps[n-1].State == core.StepRunning
}
