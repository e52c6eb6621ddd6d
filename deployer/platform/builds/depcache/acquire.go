package depcache

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const (
	modules    = "node_modules"
	maxDepth   = 256     // of folders
	maxPackage = 4 << 20 // bytes of a package.json
)

// yarnCache is where yarn keeps the packages that it loads without unpacking
// them.
const yarnCache = ".yarn/cache"

var (
	errForeign = errors.New("it is not a file, folder or link of the app's alone")
	errDeep    = errors.New("its folders are too deep")
)

// entry is what is noted of an entry.
type entry struct {
	Places  []string
	Copies  []string // paths of what must be copied to a build
	Scripts []string // names of packages whose scripts must be run in each build
}

// acquire makes the places in an entry's tree the server's own, and notes what
// of them is to be copied. If it fails they are the app's as before.
func acquire(dir string, places []string, as *syscall.Credential) (err error) {
	root, err := os.OpenRoot(filepath.Join(dir, tree))
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // what is written is closed by itself
	look := &inspector{as: as, files: map[uint64]*links{}}
	if err := look.places(root, places); err != nil {
		return err
	}
	// The tree is root's: no app's user may write to it, whatever is set here.
	// But who copies a file with its mode, as fs.cp does, may write to the copy.
	// Without users of their own, apps must not write to it by mistake.
	mine := owner{files: 0o644}
	if as == nil {
		mine.files = 0o444
	} else {
		mine.from, mine.change, mine.uid, mine.gid = as.Uid, true, os.Getuid(), os.Getgid()
	}
	if err := mine.all(root, places); err != nil {
		back := owner{files: 0o644}
		if as != nil {
			back.from, back.change, back.uid, back.gid = uint32(os.Getuid()), true, int(as.Uid), int(as.Gid) //nolint:gosec // a uid fits
		}
		return errors.Join(err, back.all(root, places))
	}
	text, err := json.Marshal(entry{places, look.Copies, look.Scripts})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, notes), text, 0o600)
}

// inspector looks at what a package manager installed.
type inspector struct {
	as    *syscall.Credential // whose it must be; nil: anybody's
	files map[uint64]*links   // with several names, by inode
	entry
}

// links are the names of one file.
type links struct{ found, all uint64 }

func (i *inspector) places(root *os.Root, places []string) error {
	for _, place := range places {
		copied := path.Base(place) != modules && !strings.HasSuffix(place, yarnCache)
		if copied {
			i.Copies = append(i.Copies, place)
		}
		if err := i.look(root, place, place, copied); err != nil {
			return fmt.Errorf("%.200q: %w", place, err)
		}
	}
	for _, file := range i.files {
		if file.found != file.all {
			return errForeign // it has a name elsewhere, by which it may be changed
		}
	}
	return nil
}

func (i *inspector) look(root *os.Root, name, rel string, copied bool) error {
	info, err := root.Lstat(name)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || i.as != nil && stat.Uid != i.as.Uid {
		return errForeign
	}
	switch info.Mode().Type() {
	case os.ModeDir:
		below, err := root.OpenRoot(name)
		if err != nil {
			return err
		}
		return errors.Join(i.folder(below, rel, copied), below.Close())
	case os.ModeSymlink:
		return nil // made anew in each build
	case 0:
		if stat.Nlink > 1 {
			if i.files[stat.Ino] == nil {
				i.files[stat.Ino] = &links{all: uint64(stat.Nlink)} //nolint:unconvert,nolintlint // its type differs between architectures
			}
			i.files[stat.Ino].found++
		}
		return nil
	}
	return errForeign
}

// folder looks at the folder root, which is at the path rel. copied is set if
// all of it is copied.
func (i *inspector) folder(root *os.Root, rel string, copied bool) error {
	if strings.Count(rel, "/") > maxDepth {
		return errDeep
	}
	if !copied && isPackage(rel) && hasScripts(root) {
		copied = true
		i.Copies = append(i.Copies, rel)
		if name := packageName(rel); !isCompiled(root) && !slices.Contains(independent, name) && !slices.Contains(i.Scripts, name) {
			i.Scripts = append(i.Scripts, name)
		}
	}
	return each(root, func(name string) error {
		below, copied := path.Join(rel, name), copied
		if !copied && path.Base(rel) == modules && strings.HasPrefix(name, ".") && name != ".pnpm" && name != ".bin" {
			copied = true
			i.Copies = append(i.Copies, below)
		}
		return i.look(root, name, below, copied)
	})
}

// each calls do for each name in a folder.
func each(root *os.Root, do func(name string) error) error {
	listing, err := root.Open(".")
	if err != nil {
		return err
	}
	entries, err := listing.ReadDir(-1)
	if err = errors.Join(err, listing.Close()); err != nil {
		return err
	}
	for _, e := range entries {
		if err := do(e.Name()); err != nil {
			return fmt.Errorf("%.200q: %w", e.Name(), err)
		}
	}
	return nil
}

// owner changes the owner and the mode of files and folders. Each is opened
// first: what an app puts in its place meanwhile is not changed.
type owner struct {
	files    os.FileMode
	change   bool
	from     uint32 // whose they must be
	uid, gid int
}

func (o owner) all(root *os.Root, places []string) error {
	var failures []error
	for _, place := range places {
		failures = append(failures, o.entry(root, place))
	}
	return errors.Join(failures...)
}

func (o owner) entry(root *os.Root, name string) error {
	info, err := root.Lstat(name)
	if err != nil || info.Mode().Type() == os.ModeSymlink {
		return err
	}
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0) // it may be a pipe by now
	if err != nil {
		return err
	}
	isDir, err := o.set(file)
	if err = errors.Join(err, file.Close()); err != nil || !isDir {
		return err
	}
	below, err := root.OpenRoot(name)
	if err != nil {
		return err
	}
	return errors.Join(each(below, func(name string) error { return o.entry(below, name) }), below.Close())
}

func (o owner) set(file *os.File) (isDir bool, err error) {
	info, err := file.Stat()
	if err != nil {
		return false, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() && !info.Mode().IsRegular() || o.change && stat.Uid != o.from && int(stat.Uid) != o.uid {
		return false, errForeign
	}
	if o.change {
		if err := file.Chown(o.uid, o.gid); err != nil {
			return false, err
		}
	}
	mode := o.files
	if info.IsDir() || info.Mode()&0o111 != 0 {
		mode |= 0o111
	}
	if info.IsDir() {
		mode |= 0o200
	}
	return info.IsDir(), file.Chmod(mode)
}

// isPackage reports whether a path is that of an installed package.
func isPackage(rel string) bool {
	above := path.Dir(rel)
	if strings.HasPrefix(path.Base(above), "@") {
		above = path.Dir(above)
	}
	return path.Base(above) == modules
}

// independent are packages without native code that are often installed, and
// whose scripts do the same for every app.
var independent = []string{ //nolint:gochecknoglobals // a table
	"esbuild", "core-js", "core-js-pure", "es5-ext", "protobufjs", "@swc/core", "@parcel/watcher", "unrs-resolver", "sharp",
}

// packageName returns the name of the package at a path.
func packageName(rel string) string {
	name := path.Base(rel)
	if scope := path.Base(path.Dir(rel)); strings.HasPrefix(scope, "@") {
		name = scope + "/" + name
	}
	return name
}

// isCompiled reports whether a package has native code, which its scripts made
// or fetched, and which does not depend on the app.
func isCompiled(root *os.Root) bool {
	if _, err := root.Lstat("binding.gyp"); err == nil {
		return true
	}
	found := false
	_ = fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil || found:
			return fs.SkipAll
		case e.IsDir() && e.Name() == modules:
			return fs.SkipDir
		}
		found = e.Type().IsRegular() && path.Ext(name) == ".node"
		return nil
	}) // what can't be read is not found
	return found
}

// hasScripts reports whether the package in a folder has scripts that run when
// it is installed, or is compiled then.
func hasScripts(root *os.Root) bool {
	if _, err := root.Lstat("binding.gyp"); err == nil {
		return true
	}
	file, err := root.OpenFile("package.json", os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer file.Close() //nolint:errcheck // only read
	var fields struct {
		Scripts map[string]any `json:"scripts"`
	}
	if json.NewDecoder(io.LimitReader(file, maxPackage)).Decode(&fields) != nil {
		return false
	}
	for _, name := range []string{"preinstall", "install", "postinstall"} {
		if fields.Scripts[name] != nil {
			return true
		}
	}
	return false
}
