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
)

// Role is what a process is there for.
type Role string

// The roles.
const (
	RoleServe    Role = "serve"    // the webhooks API, with the embedded platform unless another is named
	RolePlatform Role = "platform" // the embedded platform alone
)

// Run builds the graph of role and runs it until ctx ends, a signal comes or a
// part of it fails. A second signal ends the process at once. It returns the
// exit code. Addresses go to stdout; the log, and failures in one line, to stderr.
//
// fx's own Run is not used: it swallows the second signal and prints nothing
// when a start fails.
func Run(ctx context.Context, role Role, cfg config.Config, stdout, stderr io.Writer, extra ...fx.Option) int {
	log, err := newLogger(cfg, stderr)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "webhooks:", err)
		return 1
	}
	defer log.Sync() //nolint:errcheck // stderr may be a terminal, which can't be synced
	// Apps run as users of their own where the server is root: they pass
	// through the data folder to their own and see nothing else in it.
	if err := os.MkdirAll(cfg.Data, 0o711); err != nil { //nolint:gosec // see above
		_, _ = fmt.Fprintln(stderr, "webhooks: the data folder:", err)
		return 1
	}
	gin.SetMode(gin.ReleaseMode) // a global of Gin, which prints warnings otherwise
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	signals, release := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(signals, release) // the second signal ends the process

	var lines announcements
	app := fx.New(Options(role, cfg, log), announceModule(role, cfg, &lines), fx.Supply(fail), fx.Options(extra...))
	// A signal that comes meanwhile is heard when all has started: fx does not
	// stop well what it was kept from starting.
	starting, cancel := context.WithTimeout(ctx, app.StartTimeout())
	err = app.Start(starting)
	cancel()
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "webhooks:", dig.RootCause(err))
		return 1
	}
	if err := lines.write(stdout); err != nil {
		fail(err)
	}
	<-signals.Done()
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

// Options is the graph of role.
func Options(role Role, cfg config.Config, log *zap.Logger) fx.Option {
	common := fx.Options(
		logModule(log), loginsModule(cfg),
		fx.Provide(func(log *slog.Logger) (*Certificates, error) { return newCertificates(cfg, log) }),
		fx.StartTimeout(startTimeout),
		// Each part stops within a share of this; the last of them closes the
		// store, which must never be skipped.
		fx.StopTimeout(cfg.ShutdownDelay+cfg.ShutdownTimeout+stopReserve),
	)
	if role == RolePlatform {
		return fx.Options(common, platformModule(cfg))
	}
	return fx.Options(common, platformModule(cfg), clientModule(), storeModule(cfg), githubModule(cfg),
		deployModule(cfg), statusModule(), authModule(), httpModule(cfg))
}
