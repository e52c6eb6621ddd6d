package deploy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// acceptance turns an event into what is written for it.
func (s *Service) acceptance(r Request, p Provider, from sender, target core.Target, event core.Event) Acceptance {
	now := s.Now()
	digest := sha256.Sum256(r.Delivery.Payload)
	deliveryID, idSigned := p.DeliveryID(r.Delivery)
	e := core.Entry{
		ID: s.NewID(), UUID: r.UUID, User: from.user,
		Provider: event.Provider, Kind: event.Kind, Event: event.Name,
		DeliveryID: deliveryID, Repository: event.Repository,
		Ref: event.Ref, Branch: event.Branch, DeployBranch: deployBranch(target, event), Target: target,
		Commit: event.Commit, SkipsCI: event.SkipsCI,
		Payload:   core.PayloadDigest{SHA256: hex.EncodeToString(digest[:]), Size: len(r.Delivery.Payload)},
		Header:    r.Delivery.Describe(),
		Signature: from.signature, Authentic: from.authentic, Email: r.Delivery.Email, Steps: []core.Step{},
		CreatedAt: now, UpdatedAt: now,
	}
	if r.AnswerBy != nil {
		e.AnswerBy = r.AnswerBy(e.Provider).UTC()
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
		e.Notes = append(e.Notes, "The delivery is signed with SHA-1 alone, which is too weak, so the signature was ignored")
	}
	var place *Place
	e.Status, e.Reason, place = decide(event, e.DeployBranch)
	if place != nil && event.Kind == core.EventPush && len(target.Paths) > 0 {
		if changed, complete := p.Changed(r.Delivery, target.Matches); complete && !changed {
			e.Status, place = core.StatusIgnored, nil
			e.Reason = "The push changes no file that the webhook asks for (paths=" + strings.Join(target.Paths, ",") + ")"
		}
	}
	if place != nil && event.Kind == core.EventPush {
		place.Lane = lane(e)
		if e.DeliveryID != "" || !from.attended {
			// The sender's own deliveries may come out of order, and whoever captured
			// one may send it at any time. A payload that a person sends again is of
			// now instead.
			place.PushedAt = event.PushedAt
		}
	}
	if e.Status.Outcome() {
		e.FinishedAt = now
	}
	return Acceptance{Entry: e, Payload: r.Delivery.Payload, Key: key(e, event, from.secret, idSigned), Place: place}
}

// usualBranches are those that a delivery most likely wants to deploy if it
// reports several pushes and does not name the default branch.
var usualBranches = []string{"main", "master"} //nolint:gochecknoglobals // a constant

// selectEvent returns the one event of a delivery that counts: the push to the
// branch that may be deployed if there is one, else the first event. A delivery
// has at most one such push, because a sender reports each ref of a push once.
func selectEvent(event core.Event, branch string) core.Event {
	branches := []string{branch}
	if branch == "" {
		branches = usualBranches
	}
	selected := event
	for _, e := range append([]core.Event{event}, event.Others...) {
		if e.Kind == core.EventPush && slices.Contains(branches, e.Branch) {
			selected = e
			break
		}
	}
	selected.Others = nil
	return selected
}

// decide is the table of what becomes of an event. branch is the one that may be
// deployed, "" if the forge has to be asked. A nil place means that the entry is
// finished.
func decide(event core.Event, branch string) (core.Status, string, *Place) {
	var ignored string
	switch event.Kind {
	case core.EventPing:
		return core.StatusOK, "The delivery tests the webhook, and deploys nothing", nil
	case core.EventPush:
		ignored = ignoredPush(event, branch)
	case core.EventBuild:
		ignored = ignoredBuild(event.Build, event.Tag)
	default:
		ignored = fmt.Sprintf("The event %q never deploys", event.Name)
	}
	switch {
	case ignored != "":
		return core.StatusIgnored, ignored, nil
	case event.Kind == core.EventPush && event.Commit.SkipsDeploy():
		return core.StatusSkipped, "The message of the head commit asks for no deployment", nil
	}
	return core.StatusPending, "", &Place{}
}

// ignoredPush returns why a push is ignored, "" if it is not.
func ignoredPush(event core.Event, branch string) string {
	switch {
	case event.Deleted:
		return fmt.Sprintf("The push deletes %s", event.Ref)
	case event.Tag != "":
		return fmt.Sprintf("The push is of the tag %q; only pushes to a branch are deployed", event.Tag)
	case event.Branch == "":
		return fmt.Sprintf("The push is of %q, which is not a branch", event.Ref)
	case strings.HasPrefix(event.Branch, mergeQueue):
		return fmt.Sprintf("The push is of %q, a branch of the merge queue", event.Branch)
	case branch != "" && event.Branch != branch:
		return otherBranch("push", event.Branch, branch)
	case event.Commit.ID == "":
		return "The push has no commit"
	}
	return ""
}

func otherBranch(what, branch, deployed string) string {
	return fmt.Sprintf("The %s is of the branch %q; only %q is deployed (the parameter branch chooses another)", what, branch, deployed)
}

// ignoredBuild returns why a build decides nothing, "" if it does.
func ignoredBuild(build core.Build, tag string) string {
	switch {
	case build.PullRequest:
		return "The build is of a pull request"
	case tag != "":
		return fmt.Sprintf("The build is of the tag %q", tag)
	case build.Gate == gateChecks: // whatever it says, the checks are read again
		return ""
	case build.State == core.BuildStarted:
		return "The build has not ended yet"
	case build.Type != "" && build.Type != "push":
		return fmt.Sprintf("The build is of type %q; only builds of a push are deployed", build.Type)
	}
	return ""
}

// deployBranch returns the one branch that a delivery may deploy, "" if neither
// the webhook's URL nor the payload names it.
func deployBranch(t core.Target, event core.Event) string {
	return cmp.Or(t.Branch, event.Repository.DefaultBranch)
}

// lane is the lane of an entry: the pushes of one user to one branch of one
// repository, of which each app and each folder that webhooks name is another one.
func lane(e core.Entry) string {
	lane := e.User + "/" + e.Repository.Key() + "@" + e.Branch
	if e.Target.App != "" || e.Target.Root != "" {
		lane += "#" + e.Target.App + ":" + e.Target.Root
	}
	return lane
}

// key identifies repeats of a delivery among those of the user: by what a secret
// of the user signed, its id if that is signed and else the payload, as anyone can
// send that again with other headers; else by the id that the sender gave it, which a
// redelivery keeps; else by what it is about. Two webhooks that report the same push,
// each with its own secret or a target of its own, make two keys.
func key(e core.Entry, event core.Event, secret string, idSigned bool) string {
	key := sameDelivery(e, event, secret, idSigned)
	if key != "" && !e.Target.IsZero() {
		key += "?" + e.Target.String()
	}
	return key
}

func sameDelivery(e core.Entry, event core.Event, secret string, idSigned bool) string {
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
