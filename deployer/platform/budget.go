package platform

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/builds"
)

// The parts of the budget, in tenths. What is used beyond budgetTrim is reduced to
// budgetTarget, so that it is not measured and reduced all the time.
const (
	budgetTrim   = 9
	budgetTarget = 8
)

const (
	measureEvery = 10 * time.Minute // how often the disk usage is measured if nothing is built
	busyEvery    = 5 * time.Second  // while apps have to be skipped because they are being built or started
)

// kept are the folders below that of the platform which the budget is for.
func kept(dir string) []string {
	return []string{filepath.Join(dir, "archives"), filepath.Join(dir, "builds"), filepath.Join(dir, "cache")}
}

// DiskUsed returns how many bytes the snapshots, builds and caches of the platform in
// a folder use.
func DiskUsed(ctx context.Context, dir string) (int64, error) {
	var total int64
	var failures []error
	for _, dir := range kept(dir) {
		n, err := builds.DiskUsage(ctx, dir)
		total += n
		failures = append(failures, err)
	}
	return total, errors.Join(failures...)
}

// Disk is the disk space of a platform in bytes.
type Disk struct {
	Free   int64 // of the disk
	Used   int64 // by snapshots, builds and caches, when it was measured last
	Budget int64 // for these; 0: no limit
}

// NearlyUsed reports whether the budget is nearly used.
func (d Disk) NearlyUsed() bool { return d.Budget > 0 && d.Used > d.Budget/10*budgetTrim }

// trimmer frees disk space; *apps.Apps implements it.
type trimmer interface {
	// Trim frees what is wanted if it can. It reports whether it has skipped apps that
	// were being built or started.
	Trim(ctx context.Context, want int64) (freed int64, skipped bool, err error)
}

// budget limits the disk space for snapshots, builds and caches. It is a soft limit:
// before it is reached, what is not needed is removed; if that does not help, it warns.
type budget struct {
	limit   int64  // bytes; 0: none, the usage is only measured
	dir     string // of the platform
	apps    trimmer
	log     *slog.Logger
	used    atomic.Int64
	warns   atomic.Bool
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// watchBudget measures the disk usage periodically, and if there is a limit also when
// something was built.
func watchBudget(limit int64, dir string, built <-chan struct{}, apps trimmer, log *slog.Logger) *budget {
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // ends with the watching
	b := &budget{limit: limit, dir: dir, apps: apps, log: log, cancel: cancel}
	if limit == 0 {
		built = nil
	}
	b.running.Go(func() {
		for ctx.Err() == nil {
			begin := time.Now()
			every := measureEvery
			if b.look(ctx) {
				every = busyEvery
			}
			// Spend at most a tenth of the time on it.
			wait(ctx, 9*time.Since(begin), nil)
			wait(ctx, every, built)
		}
	})
	return b
}

// wait waits for some time, or until something was built.
func wait(ctx context.Context, d time.Duration, built <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-built:
	case <-ctx.Done():
	}
}

// look measures the disk usage, and reduces it if it is too much. It reports whether
// that has to be tried again, because some apps were being built or started.
func (b *budget) look(ctx context.Context) (again bool) {
	used, err := DiskUsed(ctx, b.dir)
	if err != nil {
		if ctx.Err() == nil {
			b.log.WarnContext(ctx, "disk usage not measured", "error", err)
		}
		return false
	}
	if b.nearly(used) {
		freed, skipped, err := b.apps.Trim(ctx, used-b.limit/10*budgetTarget)
		if ctx.Err() != nil {
			return false
		}
		if err != nil {
			b.log.WarnContext(ctx, "disk space not freed", "error", err)
		}
		if freed > 0 {
			b.log.InfoContext(ctx, "disk budget nearly used: build caches and old snapshots removed", "budget_bytes", b.limit, "used_bytes", used, "freed_bytes", freed)
		}
		if used, err = DiskUsed(ctx, b.dir); err != nil {
			return false
		}
		again = skipped && b.nearly(used)
	}
	b.used.Store(used)
	warns := b.nearly(used)
	if again || b.warns.Swap(warns) == warns {
		return again
	}
	if warns {
		b.log.WarnContext(ctx, "disk budget nearly used by snapshots that are needed", "budget_bytes", b.limit, "used_bytes", used,
			"do", "raise --disk-budget, lower --keep-snapshots, or remove apps that are not used")
	} else {
		b.log.InfoContext(ctx, "disk budget has room again", "budget_bytes", b.limit, "used_bytes", used)
	}
	return false
}

// nearly reports whether that much nearly uses the budget.
func (b *budget) nearly(used int64) bool { return Disk{Used: used, Budget: b.limit}.NearlyUsed() }

// warning returns what an operator should know; "" if the budget suffices.
func (b *budget) warning() string {
	if !b.warns.Load() {
		return ""
	}
	return fmt.Sprintf("Snapshots that are needed use %d MiB of the disk budget of %d MiB. Raise --disk-budget, lower --keep-snapshots, or remove apps that are not used.",
		b.used.Load()>>20, b.limit>>20)
}

func (b *budget) stop() {
	b.cancel()
	b.running.Wait()
}
