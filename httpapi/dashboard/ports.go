package dashboard

import (
	"context"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/apps"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/status"
)

// Status reads what became of deliveries; *status.Service implements it.
type Status interface {
	// List returns entries, newest first, and how many there are in all.
	List(ctx context.Context, user, app string, skip, limit int) ([]core.Entry, int, error)
	// Entry returns the newest change of one entry.
	Entry(ctx context.Context, user, id string) (core.Change, error)
	// Payload returns the payload of one entry.
	Payload(ctx context.Context, user, id string) ([]byte, error)
}

// Deploy changes what becomes of deliveries; *deploy.Service implements it.
type Deploy interface {
	// Release lets the user's held entry go on.
	Release(ctx context.Context, user, id string) (core.Change, error)
	// Redeliver delivers the payload of the user's entry again; uuid is of the request.
	Redeliver(ctx context.Context, user, id, uuid string) (core.Change, error)
	// Cancel ends the user's pending or held entry.
	Cancel(ctx context.Context, user, id string) (core.Change, error)
}

// Auth verifies passwords and keeps secrets; *auth.Service implements it.
type Auth interface {
	// Authenticate verifies c.
	Authenticate(ctx context.Context, c *core.Credentials) (core.Account, error)
	// WebhookSecrets returns the user's webhook secrets, without the secrets.
	WebhookSecrets(ctx context.Context, user string) ([]auth.WebhookSecret, error)
	// AddWebhookSecret makes a webhook secret, and replaces one only if replace is set.
	AddWebhookSecret(ctx context.Context, user string, w auth.WebhookSecret, replace bool) (core.Secret, error)
	// RemoveSecret removes a webhook secret.
	RemoveSecret(ctx context.Context, user, name string) error
	// APITokens returns the names of the user's API tokens.
	APITokens(ctx context.Context, user string) ([]string, error)
	// AddAPIToken makes an API token, and replaces one only if replace is set.
	AddAPIToken(ctx context.Context, user, name string, replace bool) (core.Secret, error)
	// RemoveAPIToken removes an API token.
	RemoveAPIToken(ctx context.Context, user, name string) error
	// Forges returns the forges that accounts can be paired with.
	Forges() []auth.Forge
	// Pair keeps an access token for a forge.
	Pair(ctx context.Context, user string, p auth.Pair) (auth.Pairing, error)
}

// Apps reads and changes what runs; *apps.Service implements it.
type Apps interface {
	List(ctx context.Context, user string) ([]apps.App, error)
	Get(ctx context.Context, user, app string) (apps.App, error)
	Logs(ctx context.Context, user, app string, n int) ([]apps.Line, error)
	Restart(ctx context.Context, user, app string) error
	Stop(ctx context.Context, user, app string) error
	Rollback(ctx context.Context, user, app, snapshot string) error
	SetVariable(ctx context.Context, user, app, name, value string) error
	RemoveVariable(ctx context.Context, user, app, name string) error
	AddDomain(ctx context.Context, user, app, domain string) error
	RemoveDomain(ctx context.Context, user, app, domain string) error
}

var (
	_ Status = (*status.Service)(nil)
	_ Deploy = (*deploy.Service)(nil)
	_ Auth   = (*auth.Service)(nil)
	_ Apps   = (*apps.Service)(nil)
)
