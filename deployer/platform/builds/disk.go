package builds

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// leastSize is what a file, folder or link counts for at least: an empty one
// needs room as well, and a disk has a limit of files, too.
const leastSize = 4096

// errDeep is an app that nests folders until no path leads to them, where
// they could not be counted.
var errDeep = errors.New("its folders are nested deeper than a path may be long")

// size returns how many bytes of the disk the folder takes, each file once.
// What goes away meanwhile counts for nothing. It stops at what the context ends.
func size(ctx context.Context, dir string) (int64, error) {
	var total int64
	seen := map[uint64]bool{} // files with several names
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if errors.Is(err, syscall.ENAMETOOLONG) {
			return errDeep
		}
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return nil // a folder that not even its owner may read
		}
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, syscall.ENAMETOOLONG) {
			return errDeep
		}
		if err != nil {
			return nil //nolint:nilerr // it is gone
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			if stat.Nlink > 1 && !info.IsDir() {
				if seen[stat.Ino] {
					return nil
				}
				seen[stat.Ino] = true
			}
			total += max(stat.Blocks*512, leastSize) // stat(2): blocks are of 512 bytes, whatever the disk's are
		}
		return nil
	})
	return total, err
}

// meter watches what a run of npm writes; nil watches nothing.
type meter struct {
	limit int64
	every time.Duration
	dirs  []string // that are new
	home  string   // that has npm's cache; what it grows by counts
	held  int64    // what home had before
}

// check returns an error if there is more than the limit.
func (m *meter) check(ctx context.Context) error {
	if m == nil {
		return nil
	}
	total := -m.held
	for _, dir := range append([]string{m.home}, m.dirs...) {
		n, err := size(ctx, dir)
		if errors.Is(err, errDeep) {
			return core.NewError(core.CodePlatformBuildFailed, "the build was ended: "+errDeep.Error(), err)
		}
		if err != nil {
			return fmt.Errorf("builds: measuring what a build writes: %w", err)
		}
		total += n
	}
	if total > m.limit {
		return failed("the build wrote more than %s to the disk, which is all that the platform allows, and was ended", bytesText(m.limit))
	}
	return nil
}

// watch checks until ctx ends, and ends the build by the failure it finds.
func (m *meter) watch(ctx context.Context, end context.CancelCauseFunc) {
	if m == nil {
		return
	}
	wait := m.every
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		begun := time.Now()
		if err := m.check(ctx); err != nil {
			if ctx.Err() == nil {
				end(err)
			}
			return
		}
		// Not more than a sixth of the time for looking, however much there is.
		wait = max(m.every, 5*time.Since(begun))
	}
}

// bytesText returns a number of bytes as a person reads it.
func bytesText(n int64) string {
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	default:
		return fmt.Sprintf("%d bytes", n)
	}
}

// meter returns what measures a run; its home is measured now.
func (b *Builder) meter(ctx context.Context, c command, home, tmp string) (*meter, error) {
	if !c.metered {
		return nil, nil
	}
	m := &meter{limit: b.o.MaxDisk, every: b.o.DiskInterval, dirs: []string{c.app, tmp}, home: home}
	var err error
	m.held, err = size(ctx, home)
	if errors.Is(err, errDeep) || err == nil && m.held > m.limit {
		// What earlier builds put there. Caches are no great loss, and many
		// builds must not put there, bit by bit, what one may not.
		m.held = 0
		if err = os.RemoveAll(home); err == nil {
			_, err = b.home(ctx, c)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("builds: measuring npm's home: %w", err)
	}
	return m, nil
}
