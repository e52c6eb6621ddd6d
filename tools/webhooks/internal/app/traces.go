package app

import (
	"context"
	"log/slog"
	"os"
	"time"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/adapters/traces"
)

// tracesTimeout is how long a stop waits for the collector.
const tracesTimeout = 5 * time.Second

// tracesModule provides the traces of deployments, nil unless OpenTelemetry's
// environment variables ask for them.
func tracesModule() fx.Option {
	return fx.Module("traces", fx.Provide(func(lc fx.Lifecycle, log *slog.Logger) (*traces.Traces, error) {
		enabled, err := traces.Enabled(os.Getenv)
		if !enabled || err != nil {
			return nil, err
		}
		t, err := traces.New(context.Background(), os.Getenv, version(), log) //nolint:forbidigo // it connects to nothing yet
		if err != nil {
			return nil, err
		}
		lc.Append(fx.StopHook(func(ctx context.Context) {
			ctx, cancel := context.WithTimeout(ctx, tracesTimeout)
			defer cancel()
			if err := t.Stop(ctx); err != nil {
				log.WarnContext(ctx, "traces not sent", "error", err)
			}
		}))
		return t, nil
	}))
}
