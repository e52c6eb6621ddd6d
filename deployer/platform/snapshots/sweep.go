package snapshots

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nodejitsu/webhooks/deployer/platform/builds/depcache"
)

// Sweep removes the files of snapshots for which known returns false, and
// installed programs that no path in used needs. It must not run concurrently
// with Receive or Build.
func (s *Store) Sweep(known func(user, app, id string) bool, used []string) error {
	err := errors.Join(
		sweep(s.o.Dir, func(user, app, name string) bool {
			id, ok := strings.CutSuffix(name, ".tgz")
			return ok && known(user, app, id)
		}),
		sweep(s.o.Builds, known),
		s.o.Builder.Sweep(used),
	)
	if err != nil {
		return fmt.Errorf("snapshots: sweeping: %w", err)
	}
	return nil
}

// sweep removes the entries three levels below root for which kept returns false,
// and whole folders of apps and users without any entry to keep.
func sweep(root string, kept func(user, app, name string) bool) error {
	users, err := list(root)
	failures := []error{err}
	for _, user := range users {
		apps, err := list(filepath.Join(root, user))
		failures = append(failures, err)
		for _, app := range apps {
			failures = append(failures, sweepApp(filepath.Join(root, user, app), func(name string) bool {
				return kept(user, app, name)
			}))
		}
		_ = os.Remove(filepath.Join(root, user)) // fails if it is not empty
	}
	return errors.Join(failures...)
}

func sweepApp(dir string, kept func(name string) bool) error {
	names, err := list(dir)
	if err != nil {
		return err // a folder that can't be listed is not removed
	}
	if !slices.ContainsFunc(names, kept) {
		return os.RemoveAll(dir)
	}
	var failures []error
	for _, name := range names {
		if !kept(name) {
			failures = append(failures, os.RemoveAll(filepath.Join(dir, name)))
		}
	}
	return errors.Join(append(failures, depcache.Cache(filepath.Join(dir, dependenciesName)).Sweep())...)
}

// list returns the names in a folder, except those that begin with a dot. It
// returns nil if dir does not exist or is not a folder.
func list(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if info, statErr := os.Stat(dir); errors.Is(err, fs.ErrNotExist) || statErr == nil && !info.IsDir() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}
