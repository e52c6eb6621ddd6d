package core

import "time"

// Provider is a sender of deliveries.
type Provider string

// The providers.
const (
	ProviderGitHub    Provider = "github"
	ProviderTravis    Provider = "travis"
	ProviderGitLab    Provider = "gitlab"
	ProviderGitea     Provider = "gitea" // Forgejo and Gogs, too
	ProviderBitbucket Provider = "bitbucket"
	ProviderPlatform  Provider = "platform" // what was done there by other means than a delivery
)

// EventKind is the kind of an event, the same for all providers.
type EventKind string

// The kinds of events.
const (
	EventPing    EventKind = "ping"    // the webhook was created
	EventPush    EventKind = "push"    // a branch or tag was created, moved or deleted
	EventBuild   EventKind = "build"   // a CI build started or ended
	EventRelease EventKind = "release" // something changed what an app runs, other than a delivery
	EventOther   EventKind = "other"   // anything that never deploys
)

// Event is the content of a payload, in a form that is the same for all providers.
type Event struct {
	Provider   Provider
	Kind       EventKind
	Name       string // the provider's own name of the event, such as "push", "pull_request", "cron"
	Repository Repository

	// Of a push, and of a build what the provider repeats of it.
	Ref      string    // as the payload has it, such as "refs/heads/main"; "" for a build
	Branch   string    // "" if the ref is not a branch
	Tag      string    // "" if the ref is not a tag
	Deleted  bool      // the ref is gone
	Before   string    // the commit the ref was at; "" if unknown or none
	Commit   Commit    // what to deploy; ID "" if there is none
	Commits  []string  // ids of all commits the event may be known by elsewhere, Commit.ID among them
	PushedAt time.Time // the provider's own clock, whole seconds; zero if unknown
	SkipsCI  bool      // no commit of the push is to be built, see Commit.SkipsCI

	// Of a build.
	Build Build

	// Others are the further events of the same delivery, without Others of their
	// own. Most deliveries have none; one of Bitbucket reports every ref of a push.
	Others []Event `json:",omitempty"`
}

// Build is the part of an event that reports a CI build.
type Build struct {
	// Gate and Key are what the build decides on: the pushes of its commit that wait
	// for this key of this gate. Without a gate it decides nothing.
	Gate string `json:"gate,omitempty"`
	Key  string `json:"key,omitempty"`
	// Name is for a person, such as "Travis CI's build 17".
	Name string `json:"name,omitempty"`
	// Deploys is set if a user's report of a pass deploys the commit even though no
	// push of it is known.
	Deploys bool `json:"deploys,omitempty"`

	ID          string     `json:"id"`
	Number      string     `json:"number,omitempty"`
	Attempt     int        `json:"attempt,omitempty"` // of the run with that ID, if it counts them
	State       BuildState `json:"state"`
	Type        string     `json:"type,omitempty"` // "push", "pull_request", "cron", "api"; "" in old payloads
	PullRequest bool       `json:"pull_request,omitempty"`
	Message     string     `json:"message,omitempty"` // the provider's own text, such as "Still Failing"
	URL         string     `json:"url,omitempty"`
}

// GateChecks is the gate of the forge's own CI and of commit statuses. The key of a
// report for it is the path of a workflow, "pipeline" or "status:CONTEXT", "" if it
// only says that something changed.
const GateChecks = "checks"

// BuildState is the state of a build.
type BuildState string

// The states of a build.
const (
	BuildStarted  BuildState = "started"
	BuildPassed   BuildState = "passed"
	BuildNeutral  BuildState = "neutral" // neither passed nor failed, such as skipped
	BuildFailed   BuildState = "failed"
	BuildErrored  BuildState = "errored"
	BuildCanceled BuildState = "canceled"
	BuildWaiting  BuildState = "waiting" // for a person, such as to start a part of it by hand
)

// Signature is the result of checking a delivery's signature.
type Signature string

// The results of checking a signature.
const (
	SignatureNone      Signature = "none"      // the delivery has none
	SignatureUnchecked Signature = "unchecked" // it has one, and there is no key to check it with
	SignatureWeak      Signature = "weak"      // it has only one of a kind that is not trusted
	SignatureValid     Signature = "valid"
	SignatureInvalid   Signature = "invalid" // it has one that matches none of the keys
)
