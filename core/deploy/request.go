package deploy

import "github.com/nodejitsu/webhooks/core"

// Request is a delivery with what the HTTP request said around it.
type Request struct {
	UUID        string // of the request
	Delivery    core.Delivery
	Credentials *core.Credentials // Basic auth; nil where there was none, or none in that form
	User        string            // parameter user: whose deployment it is; "" where not said
	Branch      string            // parameter branch: deploy this one only; "" where not said
}

// Receipt is the answer to a delivery that was accepted.
type Receipt struct {
	Change core.Change
	Repeat bool // an earlier delivery's entry; nothing was deployed for this one
}
