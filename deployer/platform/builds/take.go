package builds

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/nodejitsu/webhooks/core/safetar"
)

// hiddenLock is where npm notes what is installed, with scripts or not, as in
// a lockfile. It spares npm a look at each package. See docs.npmjs.com,
// "Hidden Lockfiles" in "package-lock.json".
const hiddenLock = ".package-lock.json"

// readHidden reads the hidden lockfile in the node_modules root. It returns it
// without the packages that have install scripts, and their paths below root.
func readHidden(root *os.Root) (text []byte, without map[string]bool, err error) {
	if text, err = readFile(root, hiddenLock, maxLock); err != nil {
		return nil, nil, err
	}
	var fields, packages map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, nil, err
	}
	if err := json.Unmarshal(fields["packages"], &packages); err != nil {
		return nil, nil, err
	}
	without = map[string]bool{}
	for place, entry := range packages {
		var p locked
		if err := json.Unmarshal(entry, &p); err != nil {
			return nil, nil, err
		}
		below, ok := strings.CutPrefix(place, modules+"/")
		if !ok || p.Link {
			return nil, nil, fmt.Errorf("%q is not in %s", place, modules)
		}
		if p.HasInstallScript {
			without[below] = true
		}
	}
	if len(without) == 0 {
		return text, without, nil
	}
	for place := range packages {
		for above := strings.TrimPrefix(place, modules+"/"); above != "."; above = path.Dir(above) {
			if without[above] {
				delete(packages, place)
			}
		}
	}
	if fields["packages"], err = json.Marshal(packages); err != nil {
		return nil, nil, err
	}
	text, err = json.Marshal(fields)
	return text, without, err
}

// maxTreeDepth is how deep folders in a tree may be.
const maxTreeDepth = 256

var (
	errTree      = errors.New("it holds what is no package's")
	errTreeLarge = errors.New("it is larger than a build may be")
)

// taker copies what npm installed. It reads as the server's user what belongs
// to the app's, which may be changing it at the time: so it takes no more than
// it has looked at, and nothing but files of the app's own.
type taker struct {
	left    int64           // bytes that may be copied
	without map[string]bool // paths that are left out
	files   os.FileMode     // of a copy

	foreign bool // files of others than uid are refused
	uid     uint32
}

// folder copies a folder to a new one, which is the path rel of the tree.
func (k *taker) folder(from *os.Root, to, rel string) error {
	if strings.Count(rel, "/") > maxTreeDepth {
		return errTree
	}
	if err := os.Mkdir(to, 0o755); err != nil { //nolint:gosec // below the tree, which is closed
		return err
	}
	listing, err := from.Open(".")
	if err != nil {
		return err
	}
	entries, err := listing.ReadDir(-1)
	if err = errors.Join(err, listing.Close()); err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		below := path.Join(rel, name)
		if k.without[below] || below == hiddenLock {
			continue
		}
		if err := k.entry(from, name, filepath.Join(to, name), below); err != nil {
			return fmt.Errorf("%.200q: %w", below, err)
		}
	}
	return nil
}

func (k *taker) entry(from *os.Root, name, to, rel string) error {
	info, err := from.Lstat(name)
	if err != nil {
		return err
	}
	if k.left -= max(info.Size(), leastSize); k.left < 0 {
		return errTreeLarge
	}
	switch info.Mode().Type() {
	case os.ModeDir:
		sub, err := from.OpenRoot(name)
		if err != nil {
			return err
		}
		return errors.Join(k.folder(sub, to, rel), sub.Close())
	case os.ModeSymlink:
		target, err := from.Readlink(name)
		if err != nil {
			return err
		}
		if err := safetar.CheckLink(rel, target); err != nil {
			return fmt.Errorf("%w: %w", errTree, err)
		}
		return os.Symlink(target, to)
	case 0:
		return k.file(from, name, to, info)
	default:
		return errTree
	}
}

func (k *taker) file(from *os.Root, name, to string, seen os.FileInfo) error {
	file, err := from.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may be a pipe by now
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !os.SameFile(seen, info) || k.foreign && (!ok || owner.Uid != k.uid) {
		return errTree
	}
	mode := k.files
	if info.Mode()&0o111 != 0 {
		mode |= 0o111
	}
	return write(to, nil, mode, io.LimitReader(file, seen.Size()))
}

// write writes a new file that has that mode, whatever the umask is.
func write(to string, text []byte, mode os.FileMode, more ...io.Reader) error {
	file, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the server's own
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	for _, r := range more {
		if err == nil {
			_, err = io.Copy(file, r)
		}
	}
	if err == nil {
		err = file.Chmod(mode)
	}
	return errors.Join(err, file.Close())
}
