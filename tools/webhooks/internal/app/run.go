package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/gin-gonic/gin"
	"go.uber.org/dig"
	"go.uber.org/fx"
	"go.uber.org/zap"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/sockets"
)

// Role is the purpose of a process.
type Role string

// The roles.
const (
	RoleServe    Role = "serve"    // the webhooks API, and the embedded platform unless another is configured
	RolePlatform Role = "platform" // the embedded platform alone
)

// Run builds the graph of role, and runs it until ctx ends, a signal arrives or a
// part fails. A second signal ends the process and its apps at once. It writes addresses to
// stdout, and the log and one line about a failure to stderr, and returns the exit
// code.
//
// It does not use fx's Run, which ignores the second signal and prints nothing if
// the start fails.
func Run(ctx context.Context, role Role, cfg config.Config, stdout, stderr io.Writer, extra ...fx.Option) int {
	hangup := hangups() // SIGHUP during the start takes effect after it
	if role == RolePlatform {
		cfg = cfg.PlatformAlone()
	}
	log, err := newLogger(cfg, stderr)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "webhooks:", err)
		return 1
	}
	defer log.Sync() //nolint:errcheck // stderr may be a terminal, which can't be synced
	// If the server is root, apps run as other users: they must be able to pass
	// through the data folder, but not to list it.
	if err := os.MkdirAll(cfg.Data, 0o711); err != nil { //nolint:gosec // see above
		_, _ = fmt.Fprintln(stderr, "webhooks: the data folder:", err)
		return 1
	}
	tuneGC()
	gin.SetMode(gin.ReleaseMode) // a global of Gin, which prints warnings otherwise
	held, err := sockets.Inherit()
	if err == nil {
		err = held.Await()
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "webhooks:", err)
		return 1
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	signals, release := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	var killer killer
	context.AfterFunc(signals, func() { killer.awaitAnother(release) })
	successor := &successor{hangup: hangup, held: held, log: newSlog(log)}

	var lines announcements
	app := fx.New(fx.Supply(&lines), Options(role, cfg, log, held, successor.started.Load), adminModule(cfg), announceModule(role, cfg, &lines), killModule(cfg, &killer), fx.Supply(fail), fx.Options(extra...))
	// A signal during the start takes effect after it, because fx does not stop a
	// graph well whose start was interrupted.
	starting, cancel := context.WithTimeout(ctx, app.StartTimeout())
	err = app.Start(starting)
	cancel()
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "webhooks:", dig.RootCause(err))
		return 1
	}
	held.Ready()
	if err := lines.write(stdout); err != nil {
		fail(err)
	}
	successor.await(signals)
	held.Stopping()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), app.StopTimeout())
	defer cancel()
	err = app.Stop(stopping)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "webhooks:", err)
		return 1
	}
	return 0
}

// Options is the graph of role. succeeded reports whether another process waits to
// succeed this one.
func Options(role Role, cfg config.Config, log *zap.Logger, held *sockets.Sockets, succeeded func() bool) fx.Option {
	common := fx.Options(
		fx.Supply(held), fx.Provide(func() keepApps {
			return func() bool { return cfg.AppsOnStop == config.KeepApps || succeeded() }
		}),
		logModule(log), loginsModule(cfg), inspectModule(cfg),
		fx.Provide(
			func(log *slog.Logger) (*Certificates, error) { return newCertificates(cfg, log) },
			func(c *Certificates) *addresses { return newAddresses(cfg, c) },
		),
		fx.StartTimeout(startTimeout),
		fx.StopTimeout(stopTimeout(cfg)),
	)
	if role == RolePlatform {
		return fx.Options(common, platformModule(cfg))
	}
	return fx.Options(common, platformModule(cfg), clientModule(), storeModule(cfg), forgesModule(cfg),
		deployModule(cfg), statusModule(), authModule(cfg), dashboardModule(cfg), tracesModule(), httpModule(cfg))
}
