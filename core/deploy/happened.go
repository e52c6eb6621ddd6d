package deploy

import (
	"cmp"
	"context"
	"fmt"

	"github.com/nodejitsu/webhooks/core"
)

// Happened is something that changed what an app runs, or how it runs, other than a
// delivery: what a person did by other means, or the platform by itself.
type Happened struct {
	Event     string // what happened, such as "deploy", "rollback" or "crash"
	User, App string
	By        string // the user who did it; "" if it was the platform
	Snapshot  string // that runs now, or failed; "" for none
	URL       string // of the app; "" if it is not known
	Reason    string // a sentence about it
	Failure   error  // nil if it went well
}

// Record makes an entry of something that happened on the platform, which is shown and
// notified as any other. uuid is of the entry. It fails with
// deploy:db:failed_to_store_payload and, as Admit does, with http:unavailable.
func (s *Service) Record(ctx context.Context, uuid string, h Happened) (core.Change, error) {
	now := s.Now()
	e := core.Entry{
		ID: s.NewID(), UUID: uuid, User: h.User, App: h.App, By: h.By, Status: core.StatusPending, Reason: h.Reason,
		Provider: core.ProviderPlatform, Kind: core.EventRelease, Event: h.Event,
		Signature: core.SignatureNone, Authentic: true, Snapshot: h.Snapshot, URL: h.URL, Steps: []core.Step{},
		CreatedAt: now, UpdatedAt: now,
	}
	if h.Failure != nil {
		failure := core.AsError(h.Failure)
		e.Error = &core.EntryError{Code: failure.Code, Reason: failure.Reason, Detail: failure.Detail}
	}
	if err := s.copyCommit(ctx, &e); err != nil {
		return core.Change{}, storeError(err)
	}
	change, _, err := s.add(ctx, Acceptance{Entry: e, Place: &Place{}})
	return change, storeError(err)
}

// copyCommit copies to e what is known of the commit of its snapshot, if a delivery
// uploaded that.
func (s *Service) copyCommit(ctx context.Context, e *core.Entry) error {
	if e.Snapshot == "" {
		return nil
	}
	const most = 100
	var entries []core.Entry
	err := s.call(ctx, "entries", func(ctx context.Context) (err error) {
		entries, _, err = s.Store.Entries(ctx, e.User, e.App, 0, most)
		return err
	})
	for _, known := range entries {
		if known.Snapshot == e.Snapshot && known.Repository.Name != "" {
			e.Repository, e.Ref, e.Branch, e.Commit = known.Repository, known.Ref, known.Branch, known.Commit
			e.DeployBranch, e.Target, e.Email = known.DeployBranch, known.Target, known.Email
			break
		}
	}
	return err
}

// conclusion is the one step of what happened on the platform: its outcome was known
// when it was accepted, and is notified now.
func (a *attempt) conclusion(context.Context) result {
	e := a.get()
	if e.Error != nil {
		return failure(&core.Error{Code: e.Error.Code, Reason: e.Error.Reason, Detail: e.Error.Detail})
	}
	return done(cmp.Or(e.Reason, fmt.Sprintf("%s of %s", e.Event, e.App)))
}

// lookUpForge finds the forge of the repository if there is one. What has happened
// needs it for the commit status alone.
func (a *attempt) lookUpForge(context.Context) result {
	a.found.forge = a.Forges[a.get().Repository.Forge]
	return result{}
}
