package platform

import (
	"context"
	"errors"

	"github.com/nodejitsu/webhooks/deployer/platform/processes"
)

// elsewhere runs apps elsewhere, while they are built on this machine.
type elsewhere struct {
	Remote
	builds *processes.Runner // which runs no app
}

// Start starts both.
func (e elsewhere) Start(ctx context.Context) error {
	if err := e.builds.Start(ctx); err != nil {
		return err
	}
	return e.Remote.Start(ctx)
}

// Stop stops both.
func (e elsewhere) Stop(ctx context.Context) error {
	return errors.Join(e.Remote.Stop(ctx), e.builds.Stop(ctx))
}

// Destroy also removes the user that the app was built as.
func (e elsewhere) Destroy(ctx context.Context, user, app string) error {
	if err := e.Remote.Destroy(ctx, user, app); err != nil {
		return err
	}
	return e.builds.Destroy(ctx, user, app)
}

// EndOthers ends what is left of apps that do not run, and builds.
func (e elsewhere) EndOthers(ctx context.Context) {
	e.Remote.EndOthers(ctx)
	e.builds.EndOthers(ctx)
}
