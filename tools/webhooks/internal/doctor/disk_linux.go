package doctor

import (
	"context"

	"github.com/nodejitsu/webhooks/deployer/platform"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// diskUsed returns how many bytes count to the disk budget, and whether they nearly
// use it.
func diskUsed(ctx context.Context, c config.Config) (used int64, nearly bool, err error) {
	used, err = platform.DiskUsed(ctx, c.PlatformDir())
	return used, platform.Disk{Used: used, Budget: int64(c.DiskBudget) << 20}.NearlyUsed(), err
}
