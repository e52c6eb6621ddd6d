package app

import (
	"context"
	"log/slog"
	"os"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/adapters/traces"
)

// tracesModule provides the traces of deployments, nil unless OpenTelemetry's
// environment variables ask for them.
func tracesModule() fx.Option {
	return fx.Module("traces", fx.Provide(func(lc fx.Lifecycle, log *slog.Logger) (*traces.Traces, error) {
		o, ok, err := traces.FromEnvironment(os.Getenv)
		if !ok || err != nil {
			return nil, err
		}
		o.Version, o.Logger = version(), log
		t := traces.New(o)
		lc.Append(fx.StartStopHook(t.Start, func(ctx context.Context) {
			if err := t.Stop(ctx); err != nil {
				log.WarnContext(ctx, "traces not sent", "error", err)
			}
		}))
		return t, nil
	}))
}
