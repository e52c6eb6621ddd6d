//go:build !linux

package app

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"

	"github.com/nodejitsu/webhooks/httpapi/serve/throttle"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/sockets"
)

// newEmbedded fails: the platform keeps apps apart by means that only Linux has.
func newEmbedded(config.Config, *tls.Config, *addresses, *throttle.Throttle, keepApps, *sockets.Sockets, func(error), *slog.Logger) (embedded, error) {
	return nil, errors.New("the embedded platform needs Linux: set --platform-url and --platform-key-file to use a platform elsewhere")
}

// Keep fails: there is no drone here.
func Keep(context.Context) int { return 1 }

// EndApps does nothing: there is no app here.
func EndApps(context.Context, config.Config) error { return nil }

// isApp reports whether a user of this machine is an app's: no app runs here.
func isApp(uint32) bool { return false }

// Site fails: no image has this program.
func Site(context.Context, []string) int { return 1 }
