//go:build !linux

package app

import (
	"crypto/tls"
	"errors"
	"log/slog"

	"github.com/nodejitsu/webhooks/httpapi/serve/throttle"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// newEmbedded fails: the platform keeps apps apart by means that only Linux has.
func newEmbedded(config.Config, *tls.Config, *addresses, *throttle.Throttle, *happenings, func(error), *slog.Logger) (embedded, error) {
	return nil, errors.New("the embedded platform needs Linux: set --platform-url and --platform-key-file to use a platform elsewhere")
}

// isApp reports whether a user of this machine is an app's: no app runs here.
func isApp(uint32) bool { return false }
