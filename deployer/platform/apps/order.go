package apps

import (
	"regexp"

	"github.com/nodejitsu/webhooks/core"
)

// Order is the position of a write among the writes on an app, compared as text. A
// server that was paused, or a call that was delayed, must not undo a later
// deployment, so the app stores the latest order. "" is not a deployment of a
// server: it is always accepted and not stored.
type Order string

var order = regexp.MustCompile(`^[0-9a-z-]{0,64}$`) //nolint:gochecknoglobals // a constant

// enter fails if d has had a later order, and stores o otherwise.
func (d *document) enter(o Order) error {
	switch {
	case !order.MatchString(string(o)):
		return core.Errorf(core.CodePlatformInvalid, "The order must be lower-case letters, digits and '-', at most 64")
	case o == "":
	case o < d.Order:
		return core.NewError(core.CodePlatformSuperseded, "", nil)
	default:
		d.Order = o
	}
	return nil
}

// findInOrder is find for a write that changes nothing else of the document.
func (s *documents) findInOrder(user, app string, o Order) (document, error) {
	d, err := s.find(user, app)
	if err != nil || o == "" || o == d.Order {
		return d, err
	}
	return s.update(user, app, func(d *document) error { return d.enter(o) })
}
