// Package transfer is what moves from one store to another: all that a store
// keeps, in the words of package core.
package transfer

import (
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Kept is an entry with all that a store keeps of it.
type Kept struct {
	Change  core.Change
	Payload []byte    // nil: not kept any more
	Key     string    // what makes a second delivery a repeat of this one; "" for none
	KeyMade time.Time // zero where Key is ""
	Lane    string    // "" for none
	Queued  bool      // in the queue, or claimed
	At      time.Time // ready from then on, where Queued
	Owed    bool      // its outcome is still to be told
}

// Lane is what a store keeps of a lane.
type Lane struct {
	Name     string
	Newest   string    // id of the newest entry
	PushedAt time.Time // of that one; zero: unknown
}
