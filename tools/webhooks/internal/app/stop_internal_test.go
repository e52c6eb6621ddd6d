package app

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodejitsu/webhooks/httpapi"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// A part that takes all of its time, as the API does with a request that does not end
// by itself, leaves the next ones theirs.
func TestStopTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := config.Config{ShutdownDelay: 10 * time.Second, ShutdownTimeout: 40 * time.Second}
		ctx, cancel := context.WithTimeout(t.Context(), stopTimeout(cfg))
		defer cancel()
		endless := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		listener := func() error { return stopWithin(ctx, stopListener, endless) }
		for _, part := range []struct {
			name string
			stop func() error
			want time.Duration
		}{
			{"redirect", listener, stopListener},
			{"API", func() error { return stopAPI(ctx, cfg, httpapi.New(httpapi.Options{}), endless) }, cfg.ShutdownDelay + stopRequests},
			{"worker", func() error { return stopWithin(ctx, cfg.ShutdownTimeout, endless) }, cfg.ShutdownTimeout},
			{"platform", func() error { return stopWithin(ctx, stopPlatform, endless) }, stopPlatform},
			{"metrics", listener, stopListener},
			{"pprof", listener, stopListener},
		} {
			began := time.Now()
			_ = part.stop()
			if took := time.Since(began); took != part.want {
				t.Errorf("%s: had %s, want %s", part.name, took, part.want)
			}
		}
		if deadline, _ := ctx.Deadline(); time.Until(deadline) < tracesTimeout+10*time.Second {
			t.Errorf("%s is left for the traces and the store", time.Until(deadline))
		}
	})
}
