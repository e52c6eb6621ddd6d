package depcache

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
)

// mover moves places between two folders below top.
type mover struct {
	top      *os.Root
	from, to string
	as       *syscall.Credential // who owns the folders above the places; nil: the server's own
	moved    []string
}

// move moves those of the places that exist.
func (m *mover) move(places []string) error {
	for _, place := range places {
		if _, err := m.top.Lstat(filepath.Join(m.from, place)); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := m.one(place); err != nil {
			return err
		}
	}
	if len(m.moved) == 0 {
		return errors.New("nothing is installed")
	}
	return nil
}

func (m *mover) one(place string) error {
	for _, dir := range above(place) {
		err := m.top.Mkdir(filepath.Join(m.to, dir), 0o755)
		if err == nil && m.as != nil {
			err = m.top.Lchown(filepath.Join(m.to, dir), int(m.as.Uid), int(m.as.Gid))
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := m.top.Rename(filepath.Join(m.from, place), filepath.Join(m.to, place)); err != nil {
		return err
	}
	m.moved = append(m.moved, place)
	return nil
}

// above returns the folders above a place, the highest first.
func above(place string) []string {
	var dirs []string
	for dir := path.Dir(place); dir != "."; dir = path.Dir(dir) {
		dirs = append([]string{dir}, dirs...)
	}
	return dirs
}

// back moves what was moved to where it was.
func (m *mover) back() error {
	var failures []error
	for _, place := range m.moved {
		failures = append(failures, m.top.Rename(filepath.Join(m.to, place), filepath.Join(m.from, place)))
	}
	return errors.Join(failures...)
}

// replace moves all places, and removes what is there.
func (m *mover) replace(places []string) error {
	for _, place := range places {
		if err := m.top.RemoveAll(filepath.Join(m.to, place)); err != nil {
			return err
		}
		if err := m.one(place); err != nil {
			return err
		}
	}
	return nil
}
