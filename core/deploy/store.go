package deploy

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Store keeps entries, their payloads and the users' change logs. Every write is
// durable when it returns, makes one change and is one atomic step.
// Implementations may be called concurrently, honour ctx while they wait, and
// neither retain nor modify what they are given. They do not retry.
//
// Update, Requeue, Hold and Finish write e as the next revision of its entry and
// raise Revision. claim is the Attempt of the Claim under which the caller works,
// 0 if it has claimed nothing. They fail with core.ErrConflict if e.Revision is
// not the stored one or if the claim was lost (see Queue.Renew), and with
// core.ErrNotFound.
type Store interface {
	// Admit returns core.ErrOverloaded if the store has so much to write that
	// Accept would fail with it now: so a delivery can be refused before its
	// payload is read. It does not wait.
	Admit() error
	// Accept writes a new entry with Revision 1 and the next Order, its payload,
	// its key, its place in the queue and its first change. If the user already
	// has a live key a.Key, nothing is written: the entry of that key is returned
	// and repeat is true. It fails with core.ErrOverloaded, at once, if more
	// deliveries wait to be written than may.
	Accept(ctx context.Context, a Acceptance) (c core.Change, repeat bool, err error)
	// Update saves progress: the entry keeps its place in the queue and its claim.
	Update(ctx context.Context, e core.Entry, claim int) (core.Change, error)
	// Requeue puts the entry into the queue, or back into it, and ends its claim.
	Requeue(ctx context.Context, e core.Entry, claim int, p Place) (core.Change, error)
	// Hold puts the entry into the queue until the given time, by the caller's
	// clock, when it can be claimed again, and ends its claim. It stays in its lane
	// and becomes ready earlier as described at Place.
	Hold(ctx context.Context, e core.Entry, claim int, until time.Time) (core.Change, error)
	// Finish removes the entry from the queue and ends its claim.
	Finish(ctx context.Context, e core.Entry, claim int) (core.Change, error)
	// Find returns the newest revision of an entry, or core.ErrNotFound.
	Find(ctx context.Context, id string) (core.Change, error)
	// Entries returns the user's entries, newest first, only those of app unless that
	// is "", after skipping skip, at most limit; and how many there are in total.
	Entries(ctx context.Context, user, app string, skip, limit int) (page []core.Entry, total int, err error)
	// Payload returns an entry's payload, or core.ErrNotFound if it is no longer kept.
	Payload(ctx context.Context, id string) ([]byte, error)
	// ByCommit returns the entries of the user and those without a user, or those of
	// all users if user is "", whose repository has that key (core.Repository.Key) and
	// whose commit is known by one of the ids in commits (Commit.ID, Commits). Of each
	// user these are the 100 with the highest Order, so that no user's entries hide
	// those of another one; the highest comes first. Those that were accepted without a
	// place in the queue are not among them, and they are most of all pushes: they wait
	// for no report, and no push waits for them.
	ByCommit(ctx context.Context, user, repository string, commits []string) ([]core.Change, error)
}

// Acceptance is everything that is written when a delivery is accepted.
type Acceptance struct {
	Entry   core.Entry // Revision and Order 0
	Payload []byte     // the JSON text
	Key     string     // identifies repeats of this delivery within Entry.User; "" for none
	Place   *Place     // nil: not queued
}

// Place is a place in the queue.
//
// A time that a sender or a clock got wrong delays nothing: an entry that was
// queued at a time that is still to come, as the clock was set back since, is
// ready at once.
type Place struct {
	// Lane is the lane that the entry enters, such as "user/owner/name@branch":
	// the entries of a lane are worked on one at a time. "" leaves the entry in
	// the lane that it is in, if any.
	//
	// The entry becomes the newest of its lane if its Order is higher than that of
	// the newest so far, unless that one was pushed later. The entry that was the
	// newest becomes ready at once if it waits in the queue unclaimed, so that a
	// worker can end it.
	Lane string
	// PushedAt is when the sender says the push was made; zero if unknown. It is
	// compared with the PushedAt of other entries only. A time in the future counts
	// as now; a remembered time that lies in the future counts as unknown.
	PushedAt time.Time
	At       time.Time // by the caller's clock, not to be claimed before; zero: ready at once
}

// Queue hands entries to workers: at least once, one at a time for each lane and
// for each app. Implementations may be called concurrently.
type Queue interface {
	// Claim claims, for the time of lease, the entry that became ready first among
	// those whose lane is not claimed; entries that were ready at once go by Order.
	// A claim whose lease has expired does not count. Claim raises the entry's
	// Attempts and Revision, which is a change; so whoever had claimed the entry
	// before can no longer save it. If nothing is ready, found is false and next is
	// when to look again by the caller's clock, zero if unknown: then Ready
	// receives.
	Claim(ctx context.Context, lease time.Duration) (c Claim, found bool, next time.Time, err error)
	// Renew extends the claim by another lease from now. It returns the newest
	// entry, see Claim. It fails with core.ErrConflict if the lease has expired and
	// since then another claim was made of the entry, of its lane or of its app.
	Renew(ctx context.Context, c Claim, lease time.Duration) (newest string, err error)
	// ClaimApp extends the claim to the app user/app, instead of another app that
	// it was extended to before. If another claim has that app, busy is true and
	// nothing changes. Else the entry becomes the newest of the app, unless one
	// with a higher Order has claimed it; newest is as in Claim. It fails as Renew
	// does.
	ClaimApp(ctx context.Context, c Claim, app string) (newest string, busy bool, err error)
	// Ready returns a channel, always the same one, that receives when Claim may
	// find something that it did not find before.
	Ready() <-chan struct{}
	// Backlog returns how much work waits. It may read the whole queue, so it is
	// for metrics, and not for each delivery.
	Backlog(ctx context.Context) (Backlog, error)
}

// Backlog is how much work waits in a Queue.
type Backlog struct {
	// Ready is the number of entries that can be claimed now, or as soon as those
	// before them in their lanes are finished. Entries whose claim has expired are
	// among them.
	Ready int
	// Delayed is the number of entries that are held or wait for a retry.
	Delayed int
	// Claimed is the number of entries that are being worked on.
	Claimed int
	// Oldest is since when, by the caller's clock, the first of the ready entries
	// has been ready; zero if there is none.
	Oldest time.Time
}

// Claim is the exclusive right of a worker to work on an entry, until its lease
// expires.
type Claim struct {
	Change  core.Change
	Attempt int  // Entry.Attempts at the claim; no later claim of the entry has the same
	Lost    bool // the claim before this one expired instead of being ended
	// Newest is the id of the entry that the app should end up with if the claim
	// has an app and an entry with a higher Order has claimed it too, else of the
	// newest entry of the lane; "" if the entry has neither.
	Newest string
}

// Order returns the position of what is done under the claim.
func (c Claim) Order() Order { return Order{Entry: c.Change.Entry.Order, Attempt: c.Attempt} }

// Order is the position of an attempt among all attempts at deploying an app:
// entries by their Order, attempts at one entry by their number. The zero Order
// is that of what a person does, which is always allowed.
type Order struct {
	Entry   int64
	Attempt int
}

// String returns a text form that sorts as Orders do; "" for the zero Order.
func (o Order) String() string {
	if o == (Order{}) {
		return ""
	}
	return fmt.Sprintf("%016d-%08d", o.Entry, o.Attempt)
}

// Compare compares two Orders as package cmp does.
func (o Order) Compare(p Order) int {
	return cmp.Or(cmp.Compare(o.Entry, p.Entry), cmp.Compare(o.Attempt, p.Attempt))
}

// Watcher wakes those who wait for a user's changes.
type Watcher interface {
	// Watch returns a channel that receives, at most once until it is read,
	// after each change of the user, from whichever process. stop ends it.
	Watch(user string) (wake <-chan struct{}, stop func())
}

// Outbox keeps which outcomes are still to be notified, so that another process
// notifies if the one that began dies. Implementations may be called
// concurrently; writes are durable when they return.
type Outbox interface {
	// Add notes that the outcome of the entry with that id is to be notified: by
	// the caller for the time of lease, by anybody after that. It is called before
	// the outcome is saved and may be called again.
	Add(ctx context.Context, id string, lease time.Duration) error
	// Done removes the id.
	Done(ctx context.Context, id string) error
	// Claim extends the leases of the ids in working, which the caller is
	// notifying, as far as they are still noted. It returns at most 100 other ids
	// whose lease has expired, with a new lease for the caller.
	Claim(ctx context.Context, working []string, lease time.Duration) ([]string, error)
}
