package kubernetes

import (
	"context"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// route applies the route to the app's Service, if there is to be one.
func (a *application) route(context.Context, runner.Version) error { return nil }

// unroute removes the route.
func (a *application) unroute(context.Context) error { return nil }
