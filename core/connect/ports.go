package connect

import (
	"context"
	"net/http"

	"github.com/nodejitsu/webhooks/core"
)

// Accounts has the third-party tokens of users. Implementations may be called
// concurrently.
type Accounts interface {
	// Tokens returns the third-party tokens of user, or core.ErrNotFound if there is no
	// such user. The slice is not to be changed. Unless fresh is set, they may be a few
	// seconds old.
	Tokens(ctx context.Context, user string, fresh bool) ([]core.ThirdPartyToken, error)
	// Users returns the names of all users.
	Users(ctx context.Context) ([]string, error)
	// SetToken keeps t for user, in the place of the one with the same ID.
	SetToken(ctx context.Context, user string, t core.ThirdPartyToken) error
}

// Forge makes the webhooks of repositories. Its methods fail as those of deploy.Forge
// do. Implementations may be called concurrently.
type Forge interface {
	// Hooks returns the webhooks of r.
	Hooks(ctx context.Context, r core.Repository, token core.Secret) ([]ListedHook, error)
	// SetHook changes the webhook with that id, or makes one if it is "", and returns its
	// id and the events that it sends.
	SetHook(ctx context.Context, r core.Repository, id string, h Hook, token core.Secret) (newID string, events []string, err error)
}

// Tester is implemented by a [Forge] that sends a test of a webhook and says how it was
// answered. It fails as those of deploy.Forge do.
type Tester interface {
	// TestHook has a test sent that deploys nothing, and returns the status code that it
	// was answered with, 0 if there was no answer. sent is false if the forge has no such
	// test, or does not say how it was answered.
	TestHook(ctx context.Context, r core.Repository, h ListedHook, token core.Secret) (sent bool, status int, err error)
}

// Pinger is implemented by a [Forge] that sends a test of a webhook and does not say how
// it was answered. It fails as those of deploy.Forge do.
type Pinger interface {
	// PingHook has a test sent that is an event of kind core.EventPing. sent is false if
	// the forge has no such test.
	PingHook(ctx context.Context, r core.Repository, id string, token core.Secret) (sent bool, err error)
}

// Sampler is implemented by a [Forge] that sends no test of a webhook, or not always:
// this service then sends one in its place.
type Sampler interface {
	// Sample returns the header and the body of a delivery that deploys nothing, signed
	// with secret as the forge signs its own.
	Sample(r core.Repository, secret core.Secret) (http.Header, []byte)
}

// Poster sends requests. Implementations may be called concurrently.
type Poster interface {
	// Post posts body to a URL and returns the status code and the header of the answer,
	// whatever it is. Redirects are not followed. It fails if there is no answer, and with
	// [core.ErrForbidden] if the address may not be reached from here.
	Post(ctx context.Context, to string, h http.Header, body []byte) (status int, answer http.Header, err error)
}

// Deliveries is implemented by a [Forge] that lists the deliveries of webhooks. It
// fails as those of deploy.Forge do.
type Deliveries interface {
	// Redeliver asks the forge to send again the deliveries that failed and were not
	// repeated with success since, and returns how many. If missed is set, it leaves out
	// those that this service answered, such as with the failure of a deployment; else it
	// also enables a webhook that the forge has disabled because deliveries failed.
	Redeliver(ctx context.Context, r core.Repository, id string, missed bool, token core.Secret) (count int, err error)
}

// Repositories knows where deliveries came from. Implementations may be called
// concurrently.
type Repositories interface {
	// Entries returns the user's newest entries, as status.Log does.
	Entries(ctx context.Context, user, app string, skip, limit int) (page []core.Entry, total int, err error)
}

// ListedHook is a webhook that there is.
type ListedHook struct{ ID, URL string }

// Hook is a webhook to be made.
type Hook struct {
	URL    string
	Secret core.Secret // signs its deliveries
	Checks bool        // it sends events about checks, besides pushes
}
