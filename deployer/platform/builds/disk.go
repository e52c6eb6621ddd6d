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

// leastSize is the minimum size that is counted for a file, folder or link: empty
// ones use disk space as well, and the number of files on a disk is limited.
const leastSize = 4096

// errDeep is the error of an app that nests folders deeper than the maximum length
// of a path, where they can't be measured.
var errDeep = errors.New("its folders are nested deeper than a path may be long")

// DiskUsage returns the disk usage of a folder in bytes, counting each file once. It
// ignores files that are removed meanwhile, and those that are nested deeper than the
// maximum length of a path, and stops when ctx ends.
func DiskUsage(ctx context.Context, dir string) (int64, error) {
	total, err := diskUsage(ctx, dir)
	if errors.Is(err, errDeep) {
		err = nil
	}
	return total, err
}

// diskUsage is DiskUsage, but fails with errDeep if it has ignored files for that.
func diskUsage(ctx context.Context, dir string) (int64, error) {
	var total int64
	deep := false
	seen := map[uint64]bool{} // files with several hard links
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if errors.Is(err, syscall.ENAMETOOLONG) {
			deep = true
			return nil
		}
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return nil // a folder that not even its owner may read
		}
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, syscall.ENAMETOOLONG) {
			deep = true
			return nil
		}
		if err != nil {
			return nil //nolint:nilerr // it was removed
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
	if err == nil && deep {
		err = errDeep
	}
	return total, err
}

// meter limits the disk usage of a command; a nil meter does not.
type meter struct {
	limit int64
	every time.Duration
	dirs  []string // created for the command
	home  string   // contains npm's cache; its growth is counted
	base  int64    // size of home before
}

// check returns an error if the limit is exceeded.
func (m *meter) check(ctx context.Context) error {
	if m == nil {
		return nil
	}
	total := -m.base
	for _, dir := range append([]string{m.home}, m.dirs...) {
		n, err := diskUsage(ctx, dir)
		if errors.Is(err, errDeep) {
			return core.NewError(core.CodePlatformBuildFailed, "the build was ended: "+errDeep.Error(), err)
		}
		if err != nil {
			return fmt.Errorf("builds: measuring the disk usage of a build: %w", err)
		}
		total += n
	}
	if total > m.limit {
		return failed("the build wrote more than %s to the disk, which is the limit of the platform, and was ended", bytesText(m.limit))
	}
	return nil
}

// watch checks at intervals until ctx ends, and calls end with an error it finds.
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
		begin := time.Now()
		if err := m.check(ctx); err != nil {
			if ctx.Err() == nil {
				end(err)
			}
			return
		}
		// Spend at most a sixth of the time on checks.
		wait = max(m.every, 5*time.Since(begin))
	}
}

// bytesText formats a number of bytes.
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

// meter returns a meter for a command, after measuring the command's home.
func (b *Builder) meter(ctx context.Context, c command, home, tmp string) (*meter, error) {
	if !c.metered {
		return nil, nil
	}
	m := &meter{limit: b.o.MaxDisk, every: b.o.DiskInterval, dirs: []string{c.app, tmp}, home: home}
	var err error
	m.base, err = diskUsage(ctx, home)
	if errors.Is(err, errDeep) || err == nil && m.base > m.limit {
		// Earlier builds have filled it. Remove it: it contains only caches, and the
		// limit must hold for the sum of many builds.
		m.base = 0
		if err = os.RemoveAll(home); err == nil {
			_, err = b.home(ctx, c)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("builds: measuring npm's home: %w", err)
	}
	return m, nil
}
