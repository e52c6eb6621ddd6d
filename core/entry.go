package core

import (
	"slices"
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

	Provider   Provider      `json:"provider"`
	Kind       EventKind     `json:"kind"`
	Event      string        `json:"event"` // the provider's own name
	DeliveryID string        `json:"delivery_id,omitempty"`
	Repository Repository    `json:"repository"`
	Ref        string        `json:"ref,omitempty"`
	Branch     string        `json:"branch,omitempty"`
	Deploys    string        `json:"deploy_branch,omitempty"` // the one branch that this delivery may deploy
	Commit     Commit        `json:"commit"`
	Commits    []string      `json:"commits,omitempty"`  // other ids it may be known by
	SkipsCI    bool          `json:"skips_ci,omitempty"` // no commit of the push is to be built by Travis CI
	Build      *Build        `json:"build,omitempty"`
	Payload    PayloadDigest `json:"payload"`
	Signature  Signature     `json:"signature"`
	Proved     bool          `json:"proved"` // its sender was authenticated as the user, not only as the provider
	Notes      []string      `json:"notes,omitempty"`
	Email      Email         `json:"email,omitzero"` // what the delivery asks for

	Hold     *Hold       `json:"hold,omitempty"`
	Released string      `json:"released,omitempty"` // why a held entry was released
	Releases string      `json:"releases,omitempty"` // of a build report of the user: the id of the entry that it releases
	Steps    []Step      `json:"steps"`
	Attempts int         `json:"attempts"` // times it was claimed
	Failures int         `json:"failures"` // attempts of this round that ended in a transient failure
	Lost     int         `json:"lost"`     // attempts of this round whose claim was lost
	Output   string      `json:"output,omitempty"`
	Snapshot string      `json:"snapshot,omitempty"`
	URL      string      `json:"url,omitempty"` // where the app answers
	Error    *EntryError `json:"error,omitempty"`

	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
}

// PayloadDigest names a stored payload.
type PayloadDigest struct {
	SHA256 string `json:"sha256"` // hex, of the JSON text
	Size   int    `json:"size"`   // bytes
}

// Hold says what a held entry waits for.
type Hold struct {
	For   string    `json:"for"`
	Until time.Time `json:"until"`
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
