package deploy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// fallbackBranch is deployed where neither the request nor the payload names
// a branch, as in 2012.
const fallbackBranch = "master"

// acceptance turns an event into what is written for it.
func (s *Service) acceptance(r Request, p Provider, from sender, event core.Event) Acceptance {
	now := s.o.Now()
	digest := sha256.Sum256(r.Delivery.Payload)
	deliveryID, idSigned := p.DeliveryID(r.Delivery)
	e := core.Entry{
		ID: s.o.NewID(), UUID: r.UUID, User: from.user,
		Provider: event.Provider, Kind: event.Kind, Event: event.Name,
		DeliveryID: deliveryID, Repository: event.Repository,
		Ref: event.Ref, Branch: event.Branch, Deploys: deployBranch(r, event), Commit: event.Commit, SkipsCI: event.SkipsCI,
		Payload:   core.PayloadDigest{SHA256: hex.EncodeToString(digest[:]), Size: len(r.Delivery.Payload)},
		Signature: from.signature, Proved: from.proved, Email: r.Delivery.Email, Steps: []core.Step{},
		CreatedAt: now, UpdatedAt: now,
	}
	for _, id := range event.Commits {
		if id != event.Commit.ID {
			e.Commits = append(e.Commits, id)
		}
	}
	if event.Kind == core.EventBuild {
		build := event.Build
		e.Build = &build
	}
	switch from.signature {
	case core.SignatureUnchecked:
		e.Notes = append(e.Notes, "The delivery is signed, and there is no key to check that with, so the signature was ignored")
	case core.SignatureWeak:
		e.Notes = append(e.Notes, "The delivery is signed with SHA-1 alone, which is not believed here, so the signature was ignored")
	}
	var place *Place
	e.Status, e.Reason, place = decide(event, e.Deploys)
	if place != nil && event.Kind == core.EventPush {
		place.Lane = lane(e)
		if e.DeliveryID != "" || !from.attended {
			// GitHub's own delivery; they may come out of order, and whoever
			// captured one may send it at any time. A payload that a person
			// sends again counts as of now instead.
			place.PushedAt = event.PushedAt
		}
	}
	if e.Status.Outcome() {
		e.FinishedAt = now
	}
	return Acceptance{Entry: e, Payload: r.Delivery.Payload, Key: key(e, event, from.secret, idSigned), Place: place}
}

// selectEvent returns the one event of a delivery that counts: the push to the branch
// that may be deployed if there is one, else the first event. A delivery has at most
// one such push, because a sender reports each ref of a push once.
func selectEvent(event core.Event, branch string) core.Event {
	selected := event
	for _, e := range append([]core.Event{event}, event.Others...) {
		if e.Kind == core.EventPush && e.Branch == branch {
			selected = e
			break
		}
	}
	selected.Others = nil
	return selected
}

// decide is the table of what becomes of an event. A nil place means that the
// entry is finished as it is.
func decide(event core.Event, branch string) (core.Status, string, *Place) {
	switch event.Kind {
	case core.EventPing:
		return core.StatusOK, "", nil
	case core.EventPush:
		return decidePush(event, branch)
	case core.EventBuild:
		return decideBuild(event)
	default:
		return core.StatusIgnored, fmt.Sprintf("The event %q never deploys", event.Name), nil
	}
}

func decidePush(event core.Event, branch string) (core.Status, string, *Place) {
	ignore := func(format string, args ...any) (core.Status, string, *Place) {
		return core.StatusIgnored, fmt.Sprintf(format, args...), nil
	}
	switch {
	case event.Deleted:
		return ignore("The push deletes %s", event.Ref)
	case event.Tag != "":
		return ignore("The push is of the tag %q; only pushes to the branch %q are deployed", event.Tag, branch)
	case event.Branch == "":
		return ignore("The push is of %q, which is no branch", event.Ref)
	case event.Branch != branch:
		return ignore("The push is to the branch %q; only %q is deployed (the parameter branch chooses another)", event.Branch, branch)
	case event.Commit.ID == "":
		return ignore("The push has no commit")
	}
	return core.StatusPending, "", &Place{}
}

func decideBuild(event core.Event) (core.Status, string, *Place) {
	build := event.Build
	ignore := func(reason string) (core.Status, string, *Place) { return core.StatusIgnored, reason, nil }
	switch {
	case build.PullRequest:
		return ignore("The build is of a pull request")
	case event.Tag != "":
		return ignore(fmt.Sprintf("The build is of the tag %q", event.Tag))
	case build.State == core.BuildStarted:
		return ignore("The build has not ended yet")
	case build.Type != "" && build.Type != "push":
		return ignore(fmt.Sprintf("The build is of type %q; only builds of a push are deployed", build.Type))
	}
	return core.StatusPending, "", &Place{}
}

// deployBranch is the one branch that a delivery may deploy.
func deployBranch(r Request, event core.Event) string {
	switch {
	case r.Branch != "":
		return r.Branch
	case event.Repository.DefaultBranch != "":
		return event.Repository.DefaultBranch
	}
	return fallbackBranch
}

// lane is what an entry takes its turn in: the pushes of one user to one
// branch of one repository.
func lane(e core.Entry) string { return e.User + "/" + e.Repository.Key() + "@" + e.Branch }

// key identifies repeats of a delivery among those of the user: by what a secret
// of the user signed, its id if that is signed and else the payload, as anyone can
// send that again with other headers; else by the id that the sender gave it, which a
// redelivery keeps; else by what it is about. Two webhooks that report the same push,
// each with its own secret, make two keys.
func key(e core.Entry, event core.Event, secret string, idSigned bool) string {
	switch {
	case secret != "" && idSigned && e.DeliveryID != "":
		return strings.Join([]string{string(e.Provider), e.DeliveryID, secret}, ":")
	case secret != "":
		return strings.Join([]string{string(e.Provider), "sha256", e.Payload.SHA256, secret}, ":")
	case e.DeliveryID != "":
		return string(e.Provider) + ":" + e.DeliveryID
	case event.Kind == core.EventBuild:
		return strings.Join([]string{
			string(e.Provider), e.Repository.Key(), e.Commit.ID, event.Build.ID, event.Build.Number, string(event.Build.State), event.Name,
		}, ":")
	case event.Kind == core.EventPush:
		return strings.Join([]string{string(e.Provider), e.Repository.Key(), e.Ref, event.Before, e.Commit.ID}, ":")
	}
	return ""
}
