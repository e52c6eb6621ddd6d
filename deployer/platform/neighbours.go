package platform

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/datacenters"
)

// passing is what the router knows of other routers.
type passing struct {
	*datacenters.Datacenters
	apps *apps.Apps
}

// Next implements router.Neighbours.
func (p passing) Next(in *http.Request, user, app string) (addr string, ok bool) {
	var lives []string
	if app != "" {
		lives = p.apps.Lives(user, app)
	}
	return p.Datacenters.Next(in, lives)
}

// payEvery is how soon a datacenter that was away is told what it missed.
const payEvery = 10 * time.Second

// debts pays what is owed to other datacenters, until it is stopped.
type debts struct {
	cancel context.CancelFunc
	ended  sync.WaitGroup
}

// newDebts begins to pay. Of ctx only the values matter.
func newDebts(ctx context.Context, all *apps.Apps, log *slog.Logger) *debts {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d := &debts{cancel: cancel}
	d.ended.Go(func() {
		every := time.NewTicker(payEvery)
		defer every.Stop()
		for {
			if err := all.PayDebts(ctx); err != nil {
				log.ErrorContext(ctx, "datacenters not told", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-every.C:
			}
		}
	})
	return d
}

func (d *debts) stop() {
	d.cancel()
	d.ended.Wait()
}
