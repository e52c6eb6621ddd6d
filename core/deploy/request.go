package deploy

import (
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Request is a delivery with what the HTTP request said besides.
type Request struct {
	UUID        string // of the request
	Delivery    core.Delivery
	Credentials *core.Credentials // of Basic auth; nil if the request has none
	User        string            // parameter user: whose deployment it is; "" if not given
	Target      core.Target       // what the other parameters ask for
	// AnswerBy returns until when a sender of that kind waits for an outcome; nil if
	// it is not known.
	AnswerBy func(core.Provider) time.Time
}

// Receipt is the answer to a delivery that was accepted.
type Receipt struct {
	Change core.Change
	Repeat bool // the change is of an earlier delivery's entry; this one started nothing
}
