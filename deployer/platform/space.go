package platform

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodejitsu/webhooks/core"
)

const (
	// minSpace is the free space, in bytes, that the database needs to grow.
	minSpace   = 1 << 20
	lowSpace   = 1 << 30 // free bytes below which the operator is warned
	checkSpace = 2 * time.Second
)

// space watches the free space of the disk. If the disk is full, apps still run,
// are reached and can be read, but nothing can be changed.
type space struct {
	dir     string
	log     *slog.Logger
	full    atomic.Bool
	low     atomic.Bool
	free    atomic.Int64 // bytes
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// watchSpace checks the disk of dir periodically.
func watchSpace(dir string, log *slog.Logger) *space {
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // ends with the watching
	s := &space{dir: dir, log: log, cancel: cancel}
	s.look()
	s.running.Go(func() {
		every := time.NewTicker(checkSpace)
		defer every.Stop()
		for {
			select {
			case <-every.C:
				s.look()
			case <-ctx.Done():
				return
			}
		}
	})
	return s
}

// look checks the disk, and logs a change.
func (s *space) look() {
	var fs unix.Statfs_t
	if err := unix.Statfs(s.dir, &fs); err != nil {
		return // other operations will report the failure
	}
	free := fs.Bavail * uint64(fs.Bsize) //nolint:gosec // a size
	s.free.Store(int64(free))            //nolint:gosec // a size
	if low := free < lowSpace; s.low.Swap(low) != low && low {
		s.log.Warn("disk nearly full", "dir", s.dir, "free_bytes", free, "do", "free space on the disk, or set --disk-budget")
	}
	full := free < minSpace
	if s.full.Load() == full {
		return
	}
	defer s.full.Store(full) // after the log: who sees the change finds the reason there
	if full {
		s.log.Error("disk full: apps run and are reached, but nothing can be deployed or changed", "dir", s.dir, "free_bytes", free,
			"do", "free space on the disk; the platform then continues without a restart")
	} else {
		s.log.Info("disk has room again", "dir", s.dir, "free_bytes", free)
	}
}

// warning returns what an operator should know; "" if the disk has room.
func (s *space) warning() string {
	if !s.low.Load() {
		return ""
	}
	return fmt.Sprintf("The disk of %s has only %d MiB left. Free space on it, or set --disk-budget.", s.dir, s.free.Load()>>20)
}

func (s *space) check() error {
	if s.full.Load() {
		return core.Errorf(core.CodePlatformNoSpace, "The disk of %s is full; free space on it", s.dir)
	}
	return nil
}

func (s *space) stop() {
	s.cancel()
	s.running.Wait()
}
