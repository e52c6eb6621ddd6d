package platform

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// measureEvery is how often the disk usage is measured.
const measureEvery = 10 * time.Minute

// trimmer frees disk space; *apps.Apps implements it.
type trimmer interface {
	Trim(ctx context.Context, want int64) (freed int64, err error)
}

// budget limits the disk space for snapshots, builds and caches. It is a soft limit:
// before it is reached, what is not needed is removed; if that does not help, it warns.
type budget struct {
	limit   int64    // bytes; 0: none, the usage is only measured
	dirs    []string // that count
	apps    trimmer
	log     *slog.Logger
	used    atomic.Int64
	warns   atomic.Bool
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// watchBudget measures the disk usage periodically.
func watchBudget(limit int64, dirs []string, apps trimmer, log *slog.Logger) *budget {
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // ends with the watching
	b := &budget{limit: limit, dirs: dirs, apps: apps, log: log, cancel: cancel}
	b.running.Go(func() {
		for {
			begin := time.Now()
			b.look(ctx)
			// Spend at most a tenth of the time on it.
			timer := time.NewTimer(max(measureEvery, 9*time.Since(begin)))
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return
			}
		}
	})
	return b
}

// look measures the disk usage, and reduces it if it is too much.
func (b *budget) look(ctx context.Context) {
	used, err := b.measure(ctx)
	if err != nil {
		if ctx.Err() == nil {
			b.log.WarnContext(ctx, "disk usage not measured", "error", err)
		}
		return
	}
	if b.limit > 0 && used > b.limit/10*budgetTrim {
		freed, err := b.apps.Trim(ctx, used-b.limit/10*budgetTarget)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			b.log.WarnContext(ctx, "disk space not freed", "error", err)
		}
		if freed > 0 {
			b.log.InfoContext(ctx, "disk budget nearly used: build caches and old snapshots removed", "budget_bytes", b.limit, "used_bytes", used, "freed_bytes", freed)
		}
		if used, err = b.measure(ctx); err != nil {
			return
		}
	}
	b.used.Store(used)
	warns := b.limit > 0 && used > b.limit/10*budgetTrim
	if b.warns.Swap(warns) == warns {
		return
	}
	if warns {
		b.log.WarnContext(ctx, "disk budget nearly used by snapshots that are needed", "budget_bytes", b.limit, "used_bytes", used,
			"do", "raise --disk-budget, lower --keep-snapshots, or remove apps that are not used")
	} else {
		b.log.InfoContext(ctx, "disk budget has room again", "budget_bytes", b.limit, "used_bytes", used)
	}
}

// measure returns how much is used.
func (b *budget) measure(ctx context.Context) (int64, error) {
	var total int64
	var failures []error
	for _, dir := range b.dirs {
		n, err := builds.DiskUsage(ctx, dir)
		total += n
		failures = append(failures, err)
	}
	return total, errors.Join(failures...)
}

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
