package app

import (
	"io"
	"log/slog"
	"math"
	"os"

	"go.uber.org/fx"
	"go.uber.org/fx/fxevent"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// newLogger returns a logger that writes every line. With zap's production
// settings it would drop repeated lines, which an audit trail needs.
func newLogger(cfg config.Config, out io.Writer) (*zap.Logger, error) {
	level, err := zapcore.ParseLevel(cfg.LogLevel)
	if err != nil {
		return nil, err
	}
	encoding := zap.NewProductionEncoderConfig()
	encoding.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	encoding.TimeKey = "time"
	encoder := zapcore.NewJSONEncoder(encoding)
	if cfg.LogFormat == "console" || cfg.LogFormat == "auto" && isTerminal(out) {
		encoding.EncodeLevel = zapcore.CapitalLevelEncoder
		encoding.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
		encoding.ConsoleSeparator = "  "
		encoder = zapcore.NewConsoleEncoder(encoding)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(out)), level)), nil
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) //nolint:gosec // a descriptor is small
}

// noStack is above every level that is logged: zapslog would add a stack trace
// to each error, which only a bug needs. A recovered panic is logged with its stack
// as an attribute.
const noStack = slog.Level(math.MaxInt)

func newSlog(log *zap.Logger) *slog.Logger {
	return slog.New(zapslog.NewHandler(log.Core(), zapslog.AddStacktraceAt(noStack)))
}

// logModule provides the standard library's logger, backed by zap, and logs fx's
// own events at debug level only.
func logModule(log *zap.Logger) fx.Option {
	return fx.Options( // no module: its logger would be the module's own
		fx.Supply(log),
		fx.Provide(newSlog),
		fx.WithLogger(func(log *zap.Logger) fxevent.Logger {
			events := &fxevent.ZapLogger{Logger: log.Named("fx")}
			events.UseLogLevel(zapcore.DebugLevel)
			events.UseErrorLevel(zapcore.DebugLevel) // Run prints the failure once
			return events
		}),
	)
}
