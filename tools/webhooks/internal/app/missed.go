package app

import (
	"context"
	"sync"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/core/connect"
	"github.com/nodejitsu/webhooks/httpapi/serve"
)

// findMissed asks for the deliveries that were sent while no server ran, once this one
// accepts them.
func findMissed(lc fx.Lifecycle, connects *connect.Service, _ *serve.Server) {
	m := &missed{connects: connects}
	lc.Append(fx.StartStopHook(m.start, m.end))
}

// missed looks for missed deliveries beside the start of the server.
type missed struct {
	connects *connect.Service
	working  sync.WaitGroup
	stop     context.CancelFunc
}

func (m *missed) start(ctx context.Context) {
	ctx, m.stop = context.WithCancel(context.WithoutCancel(ctx))
	m.working.Go(func() { m.connects.Missed(ctx) })
}

func (m *missed) end() {
	m.stop()
	m.working.Wait()
}
