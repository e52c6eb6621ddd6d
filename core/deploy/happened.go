package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nodejitsu/webhooks/core"
)

// eventDeploy is the Event of a snapshot that a person deployed.
const eventDeploy = "deploy"

// Happened is something that changed what an app runs, or how it runs, other than a
// delivery: what a person did by other means, or the platform by itself.
type Happened struct {
	ID        string // differs from that of anything else that happened
	Event     string // what happened, such as "deploy", "rollback" or "crash"
	User, App string
	By        string // the user who did it; "" if it was the platform
	Snapshot  string // that runs now, or failed; "" for none
	Replaced  string // the snapshot that By rolled back to Snapshot; "" for none
	URL       string // of the app; "" if it is not known
	Reason    string // a sentence about it
	Failure   error  // nil if it went well
	// RolledBack reports that the platform rolled Snapshot back, as it crashed.
	RolledBack bool
}

// Record makes an entry of something that happened on the platform, which is shown and
// notified as any other. What it recorded before, by its ID, it does not record again.
// uuid is of the entry. It fails with deploy:db:failed_to_store_payload and, as Admit
// does, with http:unavailable; then it is to be called again.
func (s *Service) Record(ctx context.Context, uuid string, h Happened) (core.Change, error) {
	now := s.Now()
	e := core.Entry{
		ID: s.NewID(), UUID: uuid, User: h.User, App: h.App, By: h.By, Status: core.StatusPending, Reason: h.Reason,
		Provider: core.ProviderPlatform, Kind: core.EventRelease, Event: h.Event,
		Signature: core.SignatureNone, Authentic: true, Snapshot: h.Snapshot, Replaced: h.Replaced, URL: h.URL, Steps: []core.Step{},
		CreatedAt: now, UpdatedAt: now,
	}
	if h.Failure != nil {
		failure := core.AsError(h.Failure)
		e.Error = &core.EntryError{Code: failure.Code, Reason: failure.Reason, Detail: failure.Detail}
	}
	source, err := s.deployed(ctx, h.User, h.App, h.Snapshot)
	if err != nil {
		return core.Change{}, storeError(err)
	}
	e.Repository, e.Ref, e.Branch, e.Commit = source.Repository, source.Ref, source.Branch, source.Commit
	e.DeployBranch, e.Target, e.Email = source.DeployBranch, source.Target, source.Email
	if h.RolledBack {
		if err := s.rolledBack(ctx, source, e); err != nil {
			return core.Change{}, storeError(err)
		}
	}
	if h.Replaced != "" && h.Failure == nil {
		if err := s.rolledBackByHand(ctx, h); err != nil {
			return core.Change{}, storeError(err)
		}
	}
	change, _, err := s.add(ctx, Acceptance{Entry: e, Key: "platform " + h.ID, Place: &Place{}})
	return change, storeError(err)
}

// deployed returns the entry of the delivery that deployed a snapshot of an app, or the
// zero Entry if no delivery did.
func (e *engine) deployed(ctx context.Context, user, app, snapshot string) (core.Entry, error) {
	if snapshot == "" {
		return core.Entry{}, nil
	}
	const most = 100
	var entries []core.Entry
	err := e.call(ctx, "entries", func(ctx context.Context) (err error) {
		entries, _, err = e.Store.Entries(ctx, user, app, 0, most)
		return err
	})
	for _, found := range entries {
		if found.Snapshot == snapshot && found.Repository.Name != "" && found.Kind != core.EventRelease {
			return found, err
		}
	}
	return core.Entry{}, err
}

// rolledBack writes to the entry of a delivery that what it deployed was rolled back,
// so it is a failure now, and the same delivery deploys it again. An entry that is
// live gets another outcome, and one that failed has it already.
func (s *Service) rolledBack(ctx context.Context, delivery, crash core.Entry) error {
	if delivery.Status != core.StatusOK || crash.Error == nil {
		return nil
	}
	e := delivery.Clone()
	failure := *crash.Error
	e.Status, e.Reason, e.Error, e.UpdatedAt = core.StatusError, failure.Reason, &failure, s.Now()
	e.Notes = append(e.Notes, "It was deployed, and rolled back later")
	return s.rewrite(ctx, e)
}

// rolledBackByHand writes to the entry of the delivery that deployed h.Replaced who
// rolled it back, and to what. It did not fail, so it stays ok.
func (s *Service) rolledBackByHand(ctx context.Context, h Happened) error {
	delivery, err := s.deployed(ctx, h.User, h.App, h.Replaced)
	if err != nil || delivery.Status != core.StatusOK {
		return err
	}
	e := delivery.Clone()
	note := fmt.Sprintf("It was deployed, and %s rolled it back to snapshot %s later", h.By, h.Snapshot)
	if slices.Contains(e.Notes, note) {
		return nil // recorded before
	}
	e.Reason, e.UpdatedAt = note, s.Now()
	e.Notes = append(e.Notes, note)
	return s.rewrite(ctx, e)
}

// rewrite writes an entry that has its outcome already, if it is still kept.
func (s *Service) rewrite(ctx context.Context, e core.Entry) error {
	err := s.call(ctx, "finish", func(ctx context.Context) error {
		_, err := s.Store.Finish(ctx, e, 0)
		return err
	})
	if errors.Is(err, core.ErrNotFound) {
		return nil // it is no longer kept
	}
	return err
}

// retire sets the commit status of the delivery that deployed what a person rolled
// back: it did not fail, and runs no more. As every commit status it is a courtesy.
func (a *attempt) retire(ctx context.Context, rollback core.Entry) {
	limit, cancel := context.WithTimeout(ctx, a.StepTimeout)
	defer cancel()
	delivery, err := a.deployed(limit, rollback.User, rollback.App, rollback.Replaced)
	switch {
	case err != nil:
		a.Logger.InfoContext(ctx, "commit status not set", "entry_id", rollback.ID, "uuid", rollback.UUID, "error", err)
	case delivery.Commit.ID != rollback.Commit.ID || delivery.Repository.Key() != rollback.Repository.Key():
		delivery.URL = ""
		a.later = append(a.later, a.sendStatus(ctx, delivery, CommitStatus{
			State: "inactive", Description: fmt.Sprintf("Deployed %s; %s rolled it back to %s later", delivery.App, rollback.By, rollback.Snapshot),
			TargetURL: a.page(rollback),
		}))
	}
}

// conclusion is the one step of what happened on the platform: its outcome was known
// when it was accepted, and is notified now.
func (a *attempt) conclusion(ctx context.Context) result {
	e := a.get() // before a step, which clears the reason
	if e.Error != nil {
		return failure(&core.Error{Code: e.Error.Code, Reason: e.Error.Reason, Detail: e.Error.Detail})
	}
	if e.Replaced != "" {
		a.retire(ctx, e)
	}
	return done(cmp.Or(e.Reason, fmt.Sprintf("%s of %s", e.Event, e.App)))
}
