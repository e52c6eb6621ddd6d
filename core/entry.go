package core

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Status is the state of an entry.
type Status string

// The statuses. Pending and held entries are live: they change again by
// themselves. The others are outcomes.
const (
	StatusPending Status = "pending" // accepted; queued or being worked on
	StatusHeld    Status = "held"    // waits for a report or a manual release
	StatusOK      Status = "ok"
	StatusError   Status = "error"
	StatusSkipped Status = "skipped" // could have been deployed and was not, for a reason
	StatusIgnored Status = "ignored" // nothing to deploy, for a reason
)

// Statuses lists all statuses.
var Statuses = []Status{StatusPending, StatusHeld, StatusOK, StatusError, StatusSkipped, StatusIgnored}

// Outcome reports whether s is final unless a new attempt is requested.
func (s Status) Outcome() bool { return s != StatusPending && s != StatusHeld }

// Valid reports whether s is one of [Statuses].
func (s Status) Valid() bool { return slices.Contains(Statuses, s) }

// Entry is the log entry of a delivery, from acceptance to outcome. Its JSON
// is the `doc` of the HTTP API; it never contains a credential.
type Entry struct {
	ID       string `json:"id"`       // 32 hex digits
	Order    int64  `json:"order"`    // increases with each entry that the store accepts, whatever the clock says
	Revision int64  `json:"revision"` // 1 at acceptance, one more with each change
	UUID     string `json:"uuid"`     // of the request that made the entry
	User     string `json:"user"`
	App      string `json:"app_name"` // "" until package.json was read
	Status   Status `json:"status"`
	Reason   string `json:"reason,omitempty"` // of the status, for a person

	Provider   Provider   `json:"provider"`
	Kind       EventKind  `json:"kind"`
	Event      string     `json:"event"` // the provider's own name
	DeliveryID string     `json:"delivery_id,omitempty"`
	Repository Repository `json:"repository"`
	Ref        string     `json:"ref,omitempty"`
	Branch     string     `json:"branch,omitempty"`
	// DeployBranch is the one branch that this delivery may deploy; "" until the
	// forge was asked for its default branch.
	DeployBranch string        `json:"deploy_branch,omitempty"`
	Target       Target        `json:"target,omitzero"` // what the URL of the webhook asks for
	Commit       Commit        `json:"commit"`
	Commits      []string      `json:"commits,omitempty"`  // other ids it may be known by
	SkipsCI      bool          `json:"skips_ci,omitempty"` // no commit of the push is to be built, see SkipsCI
	Build        *Build        `json:"build,omitempty"`
	Payload      PayloadDigest `json:"payload"`
	Header       []string      `json:"header,omitempty"` // "Name: value" of the delivery's headers that say what it is, see Delivery.Describe
	Signature    Signature     `json:"signature"`
	By           string        `json:"by,omitempty"` // the user who did what happened by other means than a delivery
	Authentic    bool          `json:"authentic"`    // its sender authenticated as the user, not only as the provider
	Notes        []string      `json:"notes,omitempty"`
	Email        Email         `json:"email,omitzero"` // what the delivery asks for

	Gate         string      `json:"gate,omitempty"`          // that the push has to pass; "" if none, or not known yet
	GateKeys     []string    `json:"gate_keys,omitempty"`     // what has to pass, see Hold
	Hold         *Hold       `json:"hold,omitempty"`          // of a held entry
	Stopped      bool        `json:"stopped,omitempty"`       // the push was skipped by its gate, which may pass later
	Released     string      `json:"released,omitempty"`      // why a held entry goes on
	Again        bool        `json:"again,omitempty"`         // a person asked to deploy the commit even if it runs already
	RedeliveryOf string      `json:"redelivery_of,omitempty"` // id of the entry whose payload a person delivered again
	Releases     string      `json:"releases,omitempty"`      // of a user's build report: the id of the push that it released
	Steps        []Step      `json:"steps"`
	Attempts     int         `json:"attempts"` // times it was claimed
	Failures     int         `json:"failures"` // attempts of this round that ended in a temporary failure
	Lost         int         `json:"lost"`     // attempts of this round whose claim expired
	Output       string      `json:"output,omitempty"`
	Snapshot     string      `json:"snapshot,omitempty"`
	Replaced     string      `json:"replaced,omitempty"` // of a rollback by a person: the snapshot that ran before
	URL          string      `json:"url,omitempty"`      // of the app, once it answers
	Error        *EntryError `json:"error,omitempty"`

	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
	HeldAt     time.Time `json:"held_at,omitzero"`   // when it was held first
	AnswerBy   time.Time `json:"answer_by,omitzero"` // until when its sender waited for an outcome; zero if no delivery made the entry
}

// Page returns the path of the page about e for a person, on the dashboard.
func (e Entry) Page() string { return "/-/entries/" + e.ID }

// Headline says in a few words what became of the app, or of the repository if the
// app is not known, as in "Deployed hello", "Could not deploy hello" or "hello
// crashed". It is for an entry with an outcome.
func (e Entry) Headline() string {
	what := cmp.Or(e.App, strings.Trim(e.Repository.Slug(), "/"))
	said := []string{"Deployed", "deploy"}
	if e.Kind == EventRelease {
		switch e.Event {
		case "crash":
			return what + " crashed"
		case "rollback":
			said = []string{"Rolled back", "roll back"}
		case "restart":
			said = []string{"Restarted", "restart"}
		case "scale":
			said = []string{"Scaled", "scale"}
		case "stop":
			said = []string{"Stopped", "stop"}
		case "destroy":
			said = []string{"Destroyed", "destroy"}
		}
	}
	if e.Status == StatusError {
		return strings.TrimSpace("Could not " + said[1] + " " + what)
	}
	return strings.TrimSpace(said[0] + " " + what)
}

// PayloadDigest names a stored payload.
type PayloadDigest struct {
	SHA256 string `json:"sha256"` // hex, of the JSON text
	Size   int    `json:"size"`   // bytes
}

// Hold is what a held entry waits for: reports of its gate, one for each key, or
// its owner. A held build report waits for a push of its commit and has no gate.
type Hold struct {
	Gate  string    `json:"gate,omitempty"`
	Keys  []string  `json:"keys,omitempty"`
	For   string    `json:"for"` // for a person
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// PassedAt is when all checks had passed, while it is waited for more of them.
	PassedAt time.Time `json:"passed_at,omitzero"`
}

// Wait is what a gate requires of a push.
type Wait struct {
	Keys   []string // every one has to pass; none: the push does not wait
	For    string   // what it waits for, for a person
	Reason string   // why it waits or not
	Note   string   // a note for the entry; "" for none
	// Never is why the reports never come, if they do not; "" otherwise. The push is
	// skipped for that reason unless they came already.
	Never string
}

// EntryError is the failure of an entry.
type EntryError struct {
	Code   Code   `json:"code"`
	Reason string `json:"reason"`
	Detail string `json:"detail,omitempty"` // what the other side answered, without credentials
}

// Clone returns a copy of e that shares no memory that a use case changes.
func (e Entry) Clone() Entry {
	e.Steps = slices.Clone(e.Steps)
	e.Notes = slices.Clone(e.Notes)
	e.GateKeys = slices.Clone(e.GateKeys)
	e.Target.Paths = slices.Clone(e.Target.Paths)
	if e.Hold != nil {
		hold := *e.Hold
		e.Hold = &hold
	}
	if e.Error != nil {
		failure := *e.Error
		e.Error = &failure
	}
	return e
}
