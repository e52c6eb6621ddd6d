package snapshots

import (
	"context"
	"errors"
	"fmt"

	"github.com/nodejitsu/webhooks/deployer/platform/builds"
)

// Usage returns the disk usage of a snapshot in bytes, without the dependencies that
// it shares with others of the app.
func (s *Store) Usage(ctx context.Context, user, app, id string) (int64, error) {
	return usage(ctx, s.archive(user, app, id), s.BuiltDir(user, app, id))
}

// RemoveCaches removes the caches of an app's builds, and returns how many bytes they
// used. The next build is slower. It must not run concurrently with a build of the
// app.
func (s *Store) RemoveCaches(ctx context.Context, user, app string) (int64, error) {
	freed, err := usage(ctx, s.home(user, app))
	if err != nil {
		return 0, err
	}
	return freed, removeAll(s.home(user, app))
}

// usage returns the disk usage of files and folders.
func usage(ctx context.Context, paths ...string) (int64, error) {
	var total int64
	var failures []error
	for _, path := range paths {
		n, err := builds.DiskUsage(ctx, path)
		total += n
		failures = append(failures, err)
	}
	if err := errors.Join(failures...); err != nil {
		return 0, fmt.Errorf("snapshots: measuring the disk usage: %w", err)
	}
	return total, nil
}
