package httpapi

import (
	"context"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/connect"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/status"
)

// Deploy accepts deliveries; *deploy.Service implements it.
type Deploy interface {
	// Admit fails if another delivery would be refused now.
	Admit() error
	// Deliver accepts a delivery. When it returns without an error, the entry
	// is durable.
	Deliver(ctx context.Context, r deploy.Request) (deploy.Receipt, error)
	// Wait returns the entry's newest change as soon as it is not pending any
	// more, or when ctx ends: what is known by then, and no error.
	Wait(ctx context.Context, id string) (core.Change, error)
	// Release lets the user's held entry go on.
	Release(ctx context.Context, user, id string) (core.Change, error)
	// Redeliver delivers the payload of the user's entry again; uuid is of the request.
	Redeliver(ctx context.Context, user, id, uuid string) (core.Change, error)
	// Cancel ends the user's pending or held entry.
	Cancel(ctx context.Context, user, id string) (core.Change, error)
}

// Status reads what became of deliveries; *status.Service implements it.
type Status interface {
	// List returns entries, newest first, and how many there are in all.
	List(ctx context.Context, user, app string, skip, limit int) ([]core.Entry, int, error)
	// Entry returns the newest change of one entry.
	Entry(ctx context.Context, user, id string) (core.Change, error)
	// Subscribe returns a reader of the user's changes, to be closed.
	Subscribe(ctx context.Context, user string, since status.Since) (*status.Reader, error)
}

// Auth authenticates callers; *auth.Service implements it.
type Auth interface {
	// Authenticate verifies c, which is nil if there are no credentials.
	Authenticate(ctx context.Context, c *core.Credentials) (core.Account, error)
	// Authorize verifies c, and that it is user's.
	Authorize(ctx context.Context, c *core.Credentials, user string) (core.Account, error)
	// Pair keeps an access token for a forge.
	Pair(ctx context.Context, user string, p auth.Pair) (auth.Pairing, error)

	Account
}

// Account changes a user's own account.
type Account interface {
	// UpdateUser changes the password and the mail address, each unless it is empty.
	UpdateUser(ctx context.Context, user string, password core.Secret, email string) error

	// APITokens returns the names of the API tokens.
	APITokens(ctx context.Context, user string) ([]string, error)
	// AddAPIToken makes one, and replaces one only if replace is set.
	AddAPIToken(ctx context.Context, user, name string, replace bool) (core.Secret, error)
	// RemoveAPIToken removes one.
	RemoveAPIToken(ctx context.Context, user, name string) error

	// WebhookSecrets returns the webhook secrets, without the secrets.
	WebhookSecrets(ctx context.Context, user string) ([]auth.WebhookSecret, error)
	// AddWebhookSecret makes one, and replaces one only if replace is set.
	AddWebhookSecret(ctx context.Context, user string, w auth.WebhookSecret, replace bool) (core.Secret, error)
	// ChangeSecret changes what its deliveries deploy; nil: what the next one says.
	ChangeSecret(ctx context.Context, user, name string, t *core.Target) error
	// RemoveSecret removes one.
	RemoveSecret(ctx context.Context, user, name string) error

	// Notifications returns the services that are notified, without their addresses.
	Notifications(ctx context.Context, user string) ([]auth.Notification, error)
	// AddNotification adds one, and replaces one only if replace is set.
	AddNotification(ctx context.Context, user string, n auth.Notification, address core.Secret, replace bool) error
	// TestNotification sends a message to one.
	TestNotification(ctx context.Context, user, name string) error
	// RemoveNotification removes one.
	RemoveNotification(ctx context.Context, user, name string) error
}

// Connect makes webhooks; *connect.Service implements it.
type Connect interface {
	// Connect makes the webhook of a repository of a forge, or changes or checks it.
	Connect(ctx context.Context, user string, r connect.Request) (connect.Result, error)
}

// Observer is called with what happens, for metrics. Its methods must return at
// once and may be called concurrently.
type Observer interface {
	// Request reports a request that was answered. route is the pattern that its
	// path matched, "" if there was none; method is one of those that net/http
	// names, or "other".
	Request(method, route string, status int, took time.Duration)
}

var (
	_ Deploy = (*deploy.Service)(nil)
	_ Status = (*status.Service)(nil)
	_ Auth   = (*auth.Service)(nil)

	_ Connect = (*connect.Service)(nil)
)
