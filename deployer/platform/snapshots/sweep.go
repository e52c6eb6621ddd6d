package snapshots

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nodejitsu/webhooks/deployer/platform/builds"
)

// Sweep removes what is on the disk and is no snapshot that known says there
// is. Nothing may be received or built meanwhile.
func (s *Store) Sweep(known func(user, app, id string) bool) error {
	err := errors.Join(
		sweep(s.o.Dir, func(user, app, name string) bool {
			id, ok := strings.CutSuffix(name, ".tgz")
			return ok && known(user, app, id)
		}),
		sweep(s.o.Builds, known),
	)
	if err != nil {
		return fmt.Errorf("snapshots: sweeping: %w", err)
	}
	return nil
}

// sweep removes what is three levels below root and not kept, and the folders
// that are empty then. Of what an app's builds share, what they have stays.
func sweep(root string, kept func(user, app, name string) bool) error {
	users, err := list(root)
	failures := []error{err}
	for _, user := range users {
		apps, err := list(filepath.Join(root, user))
		failures = append(failures, err)
		for _, app := range apps {
			dir := filepath.Join(root, user, app)
			names, err := list(dir)
			failures = append(failures, err)
			left := false
			for _, name := range names {
				if kept(user, app, name) {
					left = true
				} else {
					failures = append(failures, os.RemoveAll(filepath.Join(dir, name)))
				}
			}
			if trees := filepath.Join(dir, treesName); left {
				failures = append(failures, builds.Trees(trees).Sweep())
			} else {
				failures = append(failures, os.RemoveAll(trees))
			}
			_ = os.Remove(dir) // fails where something is in it
		}
		_ = os.Remove(filepath.Join(root, user)) // the same
	}
	return errors.Join(failures...)
}

// list returns the names in a folder, without those that begin with a dot,
// which are not of users; none where it is no folder.
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
