//go:build !linux

package doctor

import (
	"context"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

func diskUsed(context.Context, config.Config) (used int64, nearly bool, err error) {
	return 0, false, nil // only Linux has the embedded platform
}
