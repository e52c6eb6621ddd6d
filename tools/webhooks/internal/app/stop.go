package app

import (
	"context"
	"time"

	"github.com/nodejitsu/webhooks/httpapi"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// The time limits of the parts that stop, besides that of running deployments. A
// part that reaches its limit must not take the time of the next ones: when no time
// is left, fx skips the rest, such as the store.
const (
	stopRequests = 30 * time.Second // those of the HTTP API; half of it to end by themselves
	stopPlatform = 30 * time.Second // the embedded platform: its requests, likewise, and its apps
	stopListener = 5 * time.Second  // each other listener
	stopReserve  = 30 * time.Second // for all but the API, the worker and the platform
)

// stopTimeout is the time limit of all parts together.
func stopTimeout(cfg config.Config) time.Duration {
	return cfg.ShutdownDelay + stopRequests + cfg.ShutdownTimeout + stopPlatform + stopReserve
}

// stopWithin stops a part whose time limit is d.
func stopWithin(ctx context.Context, d time.Duration, stop func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return stop(ctx)
}

// stopAPI stops the API, whose server stop stops.
func stopAPI(ctx context.Context, cfg config.Config, api *httpapi.API, stop func(context.Context) error) error {
	api.Drain(ctx, cfg.ShutdownDelay)
	return stopWithin(ctx, stopRequests, func(ctx context.Context) error {
		api.EndFeeds(ctx)
		return stop(ctx)
	})
}
