package app

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"runtime/debug"
	"time"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/adapters/metrics"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/httpapi"
	"github.com/nodejitsu/webhooks/httpapi/serve"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

const (
	pathMetrics = "/metrics"
	pathPprof   = "/debug/pprof/"
)

// inspection has the listeners for operators: each is nil unless its address is
// configured.
type inspection struct{ metrics, pprof *serve.Server }

// inspectModule provides the metrics, nil unless they are served, and serves
// metrics and profiles.
func inspectModule(cfg config.Config) fx.Option {
	return fx.Module("inspect",
		fx.Provide(
			func() *metrics.Metrics {
				if cfg.MetricsAddr == "" {
					return nil
				}
				return metrics.New(version())
			},
			func(lc fx.Lifecycle, m *metrics.Metrics, from sources, fail context.CancelCauseFunc, log *slog.Logger) *inspection {
				i := &inspection{}
				if m != nil {
					mux := http.NewServeMux()
					mux.Handle("GET "+pathMetrics, m.Handler(from.readings()))
					i.metrics = inspector(lc, "metrics-addr", cfg.MetricsAddr, mux, fail, log)
				}
				if cfg.PprofAddr != "" {
					i.pprof = inspector(lc, "pprof-addr", cfg.PprofAddr, profiles(), fail, log)
				}
				return i
			},
		),
		fx.Invoke(func(*inspection) {}),
	)
}

// version returns the version of the program that the go command has recorded.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// sources are the parts that the metrics are read from, as far as the role has them.
type sources struct {
	fx.In

	Queue    deploy.Queue `optional:"true"`
	API      *httpapi.API `optional:"true"`
	Platform embedded     `optional:"true"`
	Clock    ClockBehind  `optional:"true"`
}

func (s sources) readings() (r metrics.Readings) {
	if s.Queue != nil {
		r.Backlog = s.Queue.Backlog
	}
	r.ClockBehind = s.Clock
	if s.API != nil {
		r.FeedReaders = s.API.FeedReaders
	}
	if s.Platform != nil {
		r.Drones, r.Disk = s.Platform.drones, s.Platform.disk
	}
	return r
}

// profiles serves the profiles of net/http/pprof, but not the command line.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathPprof, pprof.Index)
	mux.HandleFunc("GET "+pathPprof+"profile", pprof.Profile)
	mux.HandleFunc("GET "+pathPprof+"symbol", pprof.Symbol)
	mux.HandleFunc("GET "+pathPprof+"trace", pprof.Trace)
	return mux
}

// inspectConns is the number of connections of operators at a time.
const inspectConns = 16

// inspector serves handler on an address. It refuses the apps on this machine.
func inspector(lc fx.Lifecycle, name, addr string, handler http.Handler, fail context.CancelCauseFunc, log *slog.Logger) *serve.Server {
	s := serve.New(serve.Options{
		Name: name, Addr: addr, MaxConns: inspectConns, Untrusted: isApp, ReadTimeout: 30 * time.Second, Fail: fail, Logger: log,
	})
	lc.Append(fx.StartStopHook(
		func(ctx context.Context) error {
			if err := s.Listen(ctx); err != nil {
				return err
			}
			s.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if serve.Untrusted(r) {
					http.Error(w, "Apps may not inspect the server.", http.StatusForbidden)
					return
				}
				handler.ServeHTTP(w, r)
			}))
			return nil
		},
		func(ctx context.Context) error { return stopWithin(ctx, stopListener, s.Stop) },
	))
	return s
}
