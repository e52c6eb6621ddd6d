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
}

// Auth verifies passwords; *auth.Service implements it.
type Auth interface {
	// Authenticate verifies c.
	Authenticate(ctx context.Context, c *core.Credentials) (core.Account, error)
}

// Apps reads and changes what runs; *apps.Service implements it.
type Apps interface {
	List(ctx context.Context, user string) ([]apps.App, error)
}

var (
	_ Status = (*status.Service)(nil)
	_ Deploy = (*deploy.Service)(nil)
	_ Auth   = (*auth.Service)(nil)
	_ Apps   = (*apps.Service)(nil)
)
