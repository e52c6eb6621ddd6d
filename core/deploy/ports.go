package deploy

import (
	"context"
	"io"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Provider reads the deliveries of one kind of sender. It does no I/O, keeps no state
// and may be called concurrently. The packages of module providers are the
// implementations.
type Provider interface {
	// Name returns the provider's name.
	Name() core.Provider
	// Recognize reports whether the headers of d say that it comes from this kind
	// of sender.
	Recognize(d core.Delivery) bool
	// Resembles reports whether the payload of d has the shape of one that this
	// kind of sender sends. It counts only if no provider recognizes the headers,
	// as of a payload that a person saved and sends again.
	Resembles(d core.Delivery) bool
	// DeliveryID returns the id that the sender gave d, and gives it again when it
	// repeats the delivery: printable ASCII, at most 100 bytes, "" if there is
	// none. signed reports whether only the sender can have made a d that verifies
	// with this id.
	DeliveryID(d core.Delivery) (id string, signed bool)
	// Verify checks d's signature against each of keys, which are webhook secrets
	// or, of Travis CI, public keys in PEM. key is the index of the one that it
	// was made with, -1 if it is not valid.
	Verify(d core.Delivery, keys []core.Secret) (s core.Signature, key int)
	// Changed reports whether the push of d changes a file for which match is true.
	// complete is false if the payload does not list every file that is changed.
	Changed(d core.Delivery, match func(file string) bool) (changed, complete bool)
	// Parse returns the event. It fails with core.CodeProviderNotSupported.
	Parse(d core.Delivery) (core.Event, error)
}

// KeySource has the public keys of a provider that signs its deliveries itself.
type KeySource interface {
	// Keys returns the keys, those that are known even if it fails. missed reports
	// that a signature was made with none of the keys that it returned before, so
	// that there may be new ones.
	Keys(ctx context.Context, missed bool) ([]core.Secret, error)
}

// Accounts authenticates users and has their third-party tokens.
type Accounts interface {
	// Authenticate verifies c. It fails with core.ErrUnauthorized; any other
	// error means that it could not be found out. The answer may be a few seconds
	// old.
	Authenticate(ctx context.Context, c core.Credentials) (core.Account, error)
	// Tokens returns the third-party tokens of user, or core.ErrNotFound if
	// there is no such user. The slice is not to be changed. Unless fresh is
	// set, they may be a few seconds old.
	Tokens(ctx context.Context, user string, fresh bool) ([]core.ThirdPartyToken, error)
	// FixTarget sets the Target of the user's webhook secret with that id, unless it
	// is set, and returns the one that is set.
	FixTarget(ctx context.Context, user, id string, t core.Target) (core.Target, error)
}

// Forge reads the repositories of one host. An empty token reads public ones.
// Temporary errors are wrapped with core.Transient; it retries nothing itself.
// Implementations may be called concurrently.
//
// The methods fail with core.ErrNotFound if the repository, the commit or the
// file does not exist or the token may not see it, with core.ErrUnauthorized if
// the token is refused, and with core.ErrForbidden if the token may not do that.
type Forge interface {
	// File returns a file at a commit, at most 1 MiB of it.
	File(ctx context.Context, r core.Repository, commit, path string, token core.Secret) ([]byte, error)
	// Archive opens the commit's tree as a gzipped tar with one top folder,
	// streaming; the caller closes it.
	Archive(ctx context.Context, r core.Repository, commit string, token core.Secret) (io.ReadCloser, error)
	// DefaultBranch returns the repository's default branch.
	DefaultBranch(ctx context.Context, r core.Repository, token core.Secret) (string, error)
	// CommitStatus sets the commit's status, and that of its deployment to the app
	// if the forge has such a thing and the token may.
	CommitStatus(ctx context.Context, r core.Repository, commit string, s CommitStatus, token core.Secret) error
	// Checks returns the runs of workflows and pipelines for the commit and its commit
	// statuses, each in its newest state, at most 1000. Of the same key, event and
	// branch it returns the newest; of the same key the newest comes first. Statuses
	// that CommitStatus sets are not among them.
	Checks(ctx context.Context, r core.Repository, commit string, token core.Secret) ([]Check, error)
	// Login returns the login that the token belongs to and its scopes, nil if the
	// forge does not say.
	Login(ctx context.Context, token core.Secret) (login string, scopes []string, err error)
}

// CommitStatus is a status of a commit.
type CommitStatus struct {
	App         string // that is deployed
	URL         string // of the app; "" if it does not answer
	State       string // "pending", "success", "failure", "error" or, of what was deployed and runs no more, "inactive"
	Description string // cut by the Forge to what it allows
	TargetURL   string
}

// SingleCheck is implemented by a [Forge] whose own CI has one check for each push, such
// as GitLab with its pipelines. A push that waits for all checks then waits for that one,
// which reports alone can decide about.
type SingleCheck interface {
	// SingleCheck returns the key of the check.
	SingleCheck() string
}

// Check is a run of a workflow or a pipeline for a commit, or another system's
// status of it.
type Check struct {
	Key    string // what a gate names it by: a workflow's path, "pipeline", "status:CONTEXT"
	Name   string // for a person
	Run    string // its number, for a person; "" if it has none
	Event  string // what started it, such as "push"; "" if the forge does not say
	Branch string // that it ran for; "" if the forge does not say
	State  CheckState
	Detail string    // the state in the forge's words, such as "timed_out"
	Since  time.Time // when it was started; zero if the forge does not say
	URL    string
	Own    bool // a run of the forge's own CI, which counts even if it is not named
}

// CheckState is how far a check has come.
type CheckState string

// The states of a check.
const (
	CheckRunning  CheckState = "running" // or queued
	CheckPassed   CheckState = "passed"
	CheckNeutral  CheckState = "neutral" // or skipped: neither passed nor failed
	CheckFailed   CheckState = "failed"
	CheckCanceled CheckState = "canceled"
	CheckWaiting  CheckState = "waiting" // for a person, such as to start a part of it by hand
)

// Gate is something that a push may have to pass before it is deployed, such as
// Travis CI's build. Implementations may be called concurrently.
type Gate interface {
	// Name names the gate in holds, reports and settings, such as "travis".
	Name() string
	// Required returns what the push has to wait for. file reads a file of the
	// push's commit and fails as Forge.File does.
	Required(ctx context.Context, push core.Entry, file func(ctx context.Context, path string) ([]byte, error)) (core.Wait, error)
}

// Platform runs apps. Every method can be called again with the same arguments
// without harm. Temporary errors are wrapped with core.Transient; others are
// final. The text of an error, and what is written to out, may be shown to the
// user.
type Platform interface {
	// FindApp returns what the platform knows of an app, or core.ErrNotFound.
	FindApp(ctx context.Context, user, app string) (App, error)
	// SetSource sets what the app is deployed from, see App.Source. Not every platform
	// keeps it.
	SetSource(ctx context.Context, user, app, source string) error
	// Create creates the app if there is none.
	Create(ctx context.Context, user string, p Package) error
	// Upload makes a snapshot of the tgz in body and builds it; the output of the
	// build is written to out as it comes. It reads body only if the app does not
	// have that snapshot, built, already.
	Upload(ctx context.Context, user string, p Package, snapshot string, body io.Reader, out io.Writer) error
	// Start updates the app from p, activates the snapshot and starts it. It returns
	// the app's URL, if it has one, when the app answers; if it does not, the error
	// has the app's last lines and what ran before goes on running. It fails with
	// core.ErrSuperseded, and changes nothing more, if it was called with a later
	// order for the app before. Not every platform compares orders.
	Start(ctx context.Context, user string, p Package, snapshot string, order Order) (url string, err error)
}

// App is what a platform knows of an app.
type App struct {
	Source    string   // what the app is deployed from, see source; "" if it was never deployed by a delivery
	Running   string   // id of the snapshot that runs; "" if none does
	Snapshots []string // ids of those that are built
	URL       string   // "" if the platform does not say
}

// Package is what a package.json says that a platform wants to know.
type Package struct {
	Name   string // the app's name
	Root   string // folder of the repository that has the package.json; "" for the top
	Fields []byte // the whole package.json, a JSON object
}

// Notifier reports elsewhere what became of a deployment.
// Implementations may be called concurrently. They wrap temporary errors with
// core.Transient and retry nothing themselves.
type Notifier interface {
	// Name names the notifier in the log, such as "mail".
	Name() string
	// Notify reports an outcome, or does nothing if the user does not ask for it.
	Notify(ctx context.Context, e core.Entry) error
}

// Observer is called with what happens, for metrics. Its methods must return at
// once and may be called concurrently.
type Observer interface {
	// Delivery reports how long it took to accept a delivery, or to refuse it with
	// that code; p and k are "" if they are not known.
	Delivery(p core.Provider, k core.EventKind, refused core.Code, took time.Duration)
	// Outcome reports an outcome, and how long after its acceptance.
	Outcome(status core.Status, failed core.Code, after time.Duration)
	// Step reports a step of a deployment.
	Step(name core.StepName, state core.StepState, took time.Duration)
	// StoreCall reports a call of the Store, the Queue or the Outbox.
	StoreCall(name string, took time.Duration, err error)
}

// Tracer is called with what happens to an entry, for traces. Its methods must return
// at once and may be called concurrently.
type Tracer interface {
	// Received reports a delivery that was accepted as e, or, if repeat is set, that is
	// answered with the entry of an earlier one.
	Received(ctx context.Context, e core.Entry, d core.Delivery, repeat bool, began, ended time.Time)
	// Attempt reports an attempt at e that begins. It returns the context of the calls
	// that belong to it, and a function to call when it has ended, with the entry as it
	// left it, and with an error if it was aborted.
	Attempt(ctx context.Context, e core.Entry) (_ context.Context, ended func(core.Entry, error))
}

// noTracer is the Tracer that does nothing.
type noTracer struct{}

func (noTracer) Received(context.Context, core.Entry, core.Delivery, bool, time.Time, time.Time) {}

func (noTracer) Attempt(ctx context.Context, _ core.Entry) (context.Context, func(core.Entry, error)) {
	return ctx, func(core.Entry, error) {}
}

// noObserver is the Observer that does nothing.
type noObserver struct{}

func (noObserver) Delivery(core.Provider, core.EventKind, core.Code, time.Duration) {}
func (noObserver) Outcome(core.Status, core.Code, time.Duration)                    {}
func (noObserver) Step(core.StepName, core.StepState, time.Duration)                {}
func (noObserver) StoreCall(string, time.Duration, error)                           {}
