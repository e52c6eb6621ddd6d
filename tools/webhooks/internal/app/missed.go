package app

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/core/connect"
	"github.com/nodejitsu/webhooks/httpapi/serve"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// findMissed asks for the deliveries that were sent while no server ran, once this one
// accepts them, and then from time to time.
func findMissed(cfg config.Config) func(fx.Lifecycle, *connect.Service, *serve.Server) {
	return func(lc fx.Lifecycle, connects *connect.Service, _ *serve.Server) {
		if cfg.MissedInterval == 0 {
			return
		}
		m := &missed{connects: connects, interval: cfg.MissedInterval}
		lc.Append(fx.StartStopHook(m.start, m.end))
	}
}

// missed looks for missed deliveries beside the work of the server.
type missed struct {
	connects *connect.Service
	interval time.Duration
	working  sync.WaitGroup
	stop     context.CancelFunc
}

func (m *missed) start(ctx context.Context) {
	ctx, m.stop = context.WithCancel(context.WithoutCancel(ctx))
	m.working.Go(func() {
		for {
			m.connects.Missed(ctx)
			// Servers that were started together must not ask together each time.
			pause := m.interval - m.interval/10 + rand.N(m.interval/5+1) //nolint:gosec // nothing to guess
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return
			}
		}
	})
}

func (m *missed) end() {
	m.stop()
	m.working.Wait()
}
