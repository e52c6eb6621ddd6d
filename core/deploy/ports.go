package deploy

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Provider reads the deliveries of one sender. It does no I/O, keeps no state
// and may be called concurrently. The packages github and travis of module
// providers are the implementations.
type Provider interface {
	// Name returns who the sender is.
	Name() core.Provider
	// Recognize tells whether d comes from this sender: by its headers where
	// they say so, else by the shape of the payload.
	Recognize(d core.Delivery) bool
	// Verify checks d's signature against each of keys: webhook secrets for
	// GitHub, PEM public keys for Travis CI.
	Verify(d core.Delivery, keys []core.Secret) core.Signature
	// Parse reads the event. It fails with core.CodeProviderNotSupported.
	Parse(d core.Delivery) (core.Event, error)
}

// Store keeps entries, their payloads and the users' change logs. Every write
// is durable when it returns and makes one change, in one atomic step.
// Implementations may be called concurrently, honour ctx while they wait, and
// neither keep nor change what they are given. They do not retry.
type Store interface {
	// Accept writes a new entry with Revision 1, its payload, its key, its
	// place in the queue and its first change. Where the user already has a
	// live key a.Key, nothing is written: the entry of that key is returned
	// with repeat set.
	Accept(ctx context.Context, a Acceptance) (c core.Change, repeat bool, err error)
	// Save writes e as its entry's next revision, raising Revision, and moves
	// it in the queue. It fails with core.ErrConflict where e.Revision is not
	// the stored one, or where m.Claim does not hold any more, as Renew would
	// tell, and with core.ErrNotFound.
	Save(ctx context.Context, e core.Entry, m Move) (core.Change, error)
	// Find returns the newest revision of an entry, or core.ErrNotFound.
	Find(ctx context.Context, id string) (core.Change, error)
	// ByCommit returns the entries, newest first, at most 100, of whatever
	// user, whose repository has that key (core.Repository.Key) and of which
	// any known commit (Commit.ID, Commits) is among commits.
	ByCommit(ctx context.Context, repository string, commits []string) ([]core.Change, error)
}

// Acceptance is all that accepting one delivery writes.
type Acceptance struct {
	Entry   core.Entry // Revision 0
	Payload []byte     // the JSON text
	Key     string     // what makes a second delivery a repeat of this one, within Entry.User; "" for none
	Place   *Place     // nil: not queued
}

// Place is a place in the queue.
type Place struct {
	// Lane is what one deployment at a time is run of, such as
	// "user/owner/name@branch". "" keeps the lane the entry has.
	Lane string
	// Enter makes the entry the newest of its lane, unless the lane's newest
	// was pushed later by the provider's clock (both PushedAt known). The
	// entry that was the newest becomes ready at once where it waits
	// unclaimed in the queue, so that a worker can tell it so.
	Enter    bool
	PushedAt time.Time // zero: unknown
	At       time.Time // by the caller's clock, not to be claimed before; zero: ready at once
}

// Move says what a Save does to the entry's place in the queue.
type Move struct {
	// Place puts the entry into the queue, or back into it, giving up a claim.
	Place *Place
	// Stay keeps place and claim as they are. With neither, the entry leaves
	// the queue.
	Stay bool
	// Claim is the Attempt of the Claim by which the entry is saved; 0 for
	// somebody who has claimed nothing.
	Claim int
}

// Queue hands entries to workers: at least once, one at a time for each lane
// and for each app. Implementations may be called concurrently.
type Queue interface {
	// Claim takes, for the time of lease, the entry that became ready first
	// among those whose lane nobody has claimed; a claim whose lease ran out
	// counts as none. It raises the entry's Attempts and Revision, which
	// is a change; so whoever held it before cannot save it any more.
	// found is false where nothing is ready; then next is when to look again
	// by the caller's clock, as far as is known (zero: when Ready tells).
	Claim(ctx context.Context, lease time.Duration) (c Claim, found bool, next time.Time, err error)
	// Renew makes the claim last for another lease from now. It fails with
	// core.ErrConflict where the claim ran out and somebody else has claimed
	// the entry or an entry of its lane, or has joined its app, since.
	Renew(ctx context.Context, c Claim, lease time.Duration) (Standing, error)
	// Join makes the claim hold the app user/app too. busy is true, and
	// nothing is done, where another claim holds it. It makes the entry the
	// newest of the app unless one with a later id was; whether it is the
	// newest is in the Standing that it returns.
	Join(ctx context.Context, c Claim, app string) (s Standing, busy bool, err error)
	// Ready returns a channel, always the same, that receives when Claim may
	// find something that it did not find before.
	Ready() <-chan struct{}
}

// Claim is a worker's hold on an entry.
type Claim struct {
	Change   core.Change
	Attempt  int  // Attempts at the claim; no later claim has the same
	Lost     bool // the claim before this one ran out instead of being given up
	Standing Standing
}

// Order returns the order of what is done by the claim.
func (c Claim) Order() Order { return Order(fmt.Sprintf("%s-%08d", c.Change.Entry.ID, c.Attempt)) }

// Standing tells whether a claimed entry is still what its lane, and its app
// where it joined one, should end up with.
type Standing struct {
	Newest string // id of the newest entry of the lane or app; "" for an entry without a lane
}

// Watcher wakes those who wait for a user's changes.
type Watcher interface {
	// Watch returns a channel that receives, at most once until it is read,
	// after each change of the user, from whichever process. stop ends it.
	Watch(user string) (wake <-chan struct{}, stop func())
}

// Accounts tells who somebody is and which keys of others they gave us.
type Accounts interface {
	// Authenticate proves c. It fails with core.ErrUnauthorized; anything
	// else means that it could not be found out.
	Authenticate(ctx context.Context, c core.Credentials) (core.Account, error)
	// Tokens returns the third-party tokens of user; core.ErrNotFound where
	// there is no such user.
	Tokens(ctx context.Context, user string) ([]core.ThirdPartyToken, error)
}

// Source reads repositories. An empty token reads public ones. Errors that
// pass are marked by core.Transient; it retries nothing itself.
type Source interface {
	// File returns a file at a commit, at most 1 MiB of it. It fails with
	// core.ErrNotFound where the repository, the commit or the file is not
	// there or not ours to see, and with core.ErrUnauthorized where the
	// token is refused.
	File(ctx context.Context, r core.Repository, commit, path string, token core.Secret) ([]byte, error)
	// Tarball opens the commit's tree as a gzipped tar with one top folder,
	// streaming; the caller closes it. Errors as File's.
	Tarball(ctx context.Context, r core.Repository, commit string, token core.Secret) (io.ReadCloser, error)
	// SetStatus sets the commit's status, and that of its deployment to the
	// app where the token may. Errors as File's, and core.ErrForbidden.
	SetStatus(ctx context.Context, r core.Repository, commit string, s CommitStatus, token core.Secret) error
}

// CommitStatus is a status of a commit, as GitHub shows it.
type CommitStatus struct {
	App         string // that is deployed
	URL         string // where it answers; "" where it doesn't
	State       string // "pending", "success", "failure" or "error"
	Description string // cut to 140 characters by the Source
	TargetURL   string
}

// Platform runs apps. Every method may be called again with the same
// arguments and then does no harm. Errors that pass are marked by
// core.Transient; others are final. The text of an error, and what is written
// to out, may be shown to the user.
type Platform interface {
	// Create makes the app where there is none.
	Create(ctx context.Context, user string, p Package) error
	// Upload makes a snapshot of the tgz in body and builds it; what the
	// build prints goes to out as it comes. It reads body only where the app
	// does not have that snapshot, built, already. A failed build is an
	// error that is no core.Transient.
	Upload(ctx context.Context, user, app, snapshot string, body io.Reader, out io.Writer) error
	// Start updates the app from p, activates the snapshot and starts it. It
	// returns when the app answers, with the URL where it does; else its
	// error tells the app's last lines, and what ran before goes on. It fails
	// with core.ErrSuperseded, and changes nothing any more, where the app
	// was called with a later order before. Not every platform knows orders.
	Start(ctx context.Context, user string, p Package, snapshot string, order Order) (url string, err error)
}

// Order tells which of two attempts at an app came later: it rises, compared as
// text, with the entries that are accepted and with the attempts at each. "" is
// for what a person does, which is always in order.
type Order string

// Package is what a package.json says that a platform wants to know.
type Package struct {
	Name   string // the app's name
	Fields []byte // the whole package.json, a JSON object
}

// Notifier tells somebody elsewhere what became of a deployment.
// Implementations may be called concurrently. They mark errors that pass by
// core.Transient and retry nothing themselves.
type Notifier interface {
	// Name is what the log calls it, such as "mail".
	Name() string
	// Notify tells an outcome, or does nothing where nobody asked for it.
	Notify(ctx context.Context, e core.Entry) error
}

// Outbox keeps whose outcomes are still to be told, for when the process that
// tells them dies before it has: then another tells them, or its next life.
// Implementations may be called concurrently; that an outcome is noted, or
// forgotten, is durable when the call returns.
type Outbox interface {
	// Owe notes that the outcome of an entry is to be told, by the caller for
	// the time of lease and by anybody after that. It comes before the outcome
	// is saved, and may be called again.
	Owe(ctx context.Context, id string, lease time.Duration) error
	// Told forgets that.
	Told(ctx context.Context, id string) error
	// Owed makes what the caller is telling last for another lease from now, as
	// far as it is still noted. It returns at most 100 others that nobody tells,
	// as their lease ran out, and makes them the caller's for as long.
	Owed(ctx context.Context, telling []string, lease time.Duration) ([]string, error)
}
