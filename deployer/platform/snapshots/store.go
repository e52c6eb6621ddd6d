package snapshots

import (
	"cmp"
	"context"
	"crypto/md5" //nolint:gosec // part of the API; not used for security
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/atomicfile"
	"github.com/nodejitsu/webhooks/deployer/platform/builds"
	"github.com/nodejitsu/webhooks/deployer/platform/builds/depcache"
)

// Options are the settings of a [Store]; Dir, Builds and Builder are required.
type Options struct {
	Dir    string // absolute; for the archives
	Builds string // absolute; for the built folders

	Builder interface {
		Build(ctx context.Context, s builds.Snapshot, out io.Writer) (builds.Result, error)
		Sweep(used []string) error
	}
	// Credential returns the user that an app is built and run as; nil means the
	// server's user. The default returns nil.
	Credential func(user, app string) (*syscall.Credential, error)

	MaxSize int64 // maximum bytes of an archive; default 512 MiB
	AtOnce  int   // concurrent builds, one less for a single user; default 3
}

// Store is safe for concurrent use, except that each snapshot must be used by
// one caller at a time.
type Store struct {
	o     Options
	queue *queue
}

// Request describes the snapshot to build.
type Request struct {
	User, App, ID string
	Root          string            // folder of the app below the snapshot's top; "" for the top
	Env           map[string]string // of the app, as set by its user
}

// New returns a Store. It does not access the disk.
func New(o Options) *Store {
	o.MaxSize = cmp.Or(o.MaxSize, 512<<20)
	o.AtOnce = cmp.Or(o.AtOnce, 3)
	if o.Credential == nil {
		o.Credential = func(string, string) (*syscall.Credential, error) { return nil, nil }
	}
	return &Store{o: o, queue: newQueue(o.AtOnce)}
}

func (s *Store) incoming() string { return filepath.Join(s.o.Dir, ".incoming") }

func (s *Store) archive(user, app, id string) string {
	return filepath.Join(s.o.Dir, user, app, id+".tgz")
}

// BuiltDir returns the folder that a snapshot is built in.
func (s *Store) BuiltDir(user, app, id string) string {
	return filepath.Join(s.o.Builds, user, app, id)
}

// dependencies returns the cache of dependencies that an app's builds share. Its
// name can't be that of a snapshot: those do not begin with a dot.
func (s *Store) dependencies(user, app string) depcache.Cache {
	return depcache.Cache(filepath.Join(s.o.Builds, user, app, dependenciesName))
}

// home returns the home folder of an app's builds. It is removed with the app,
// as the app's uid may be reused then.
func (s *Store) home(user, app string) string {
	return filepath.Join(s.o.Builds, user, app, homeName)
}

const (
	dependenciesName = ".dependencies"
	homeName         = ".home"
)

// Prepare creates the folders and removes partly received archives.
func (s *Store) Prepare() error {
	if err := os.RemoveAll(s.incoming()); err != nil {
		return fmt.Errorf("snapshots: removing partly received archives: %w", err)
	}
	if err := os.MkdirAll(s.incoming(), 0o700); err != nil {
		return fmt.Errorf("snapshots: creating the folder: %w", err)
	}
	if err := passable(s.o.Builds); err != nil {
		return fmt.Errorf("snapshots: creating the folder for builds: %w", err)
	}
	return nil
}

// passable creates a folder that other users may search but not list, regardless
// of the umask.
func passable(dir string) error {
	if err := os.MkdirAll(dir, 0o711); err != nil { //nolint:gosec // the apps' users need to search it
		return err
	}
	return os.Chmod(dir, 0o711) //nolint:gosec // the apps' users need to search it
}

// Archive is an archive that was received and not yet stored.
type Archive struct {
	MD5  string // hex
	Size int64

	path string
}

// Receive writes body to the disk. It fails with [core.CodePlatformTooLarge] if
// body is too large, [core.CodePlatformIncomplete] if reading body fails, and
// [core.CodePlatformInvalid] if body is empty. The caller must discard the
// archive, which does nothing if [Store.Build] has stored it.
func (s *Store) Receive(body io.Reader) (a *Archive, err error) {
	file, err := os.CreateTemp(s.incoming(), "")
	if err != nil {
		return nil, fmt.Errorf("snapshots: receiving: %w", err)
	}
	received := &Archive{path: file.Name()}
	defer func() {
		if closeErr := file.Close(); err == nil && closeErr != nil {
			a, err = nil, fmt.Errorf("snapshots: receiving: %w", closeErr)
		}
		if err != nil {
			err = errors.Join(err, received.Discard())
		}
	}()
	sum := md5.New() //nolint:gosec // see the import
	source := &sender{r: io.LimitReader(body, s.o.MaxSize+1)}
	received.Size, err = io.Copy(io.MultiWriter(file, sum), source)
	switch {
	case source.err != nil:
		return nil, core.Errorf(core.CodePlatformIncomplete, "The snapshot ended early, after %d bytes; send it again", received.Size)
	case err != nil:
		return nil, fmt.Errorf("snapshots: receiving: %w", err)
	case received.Size > s.o.MaxSize:
		return nil, core.Errorf(core.CodePlatformTooLarge, "The snapshot is larger than the platform's limit of %d MiB", s.o.MaxSize>>20)
	case received.Size == 0:
		return nil, core.Errorf(core.CodePlatformInvalid, "The snapshot is empty; send a tgz with one top folder, package/")
	}
	received.MD5 = hex.EncodeToString(sum.Sum(nil))
	if err := file.Sync(); err != nil {
		return nil, fmt.Errorf("snapshots: receiving: %w", err)
	}
	return received, nil
}

// sender distinguishes an error of the sender from one of the disk.
type sender struct {
	r   io.Reader
	err error
}

// Read reads from r and records its error.
func (s *sender) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // a reader's own EOF is this very value
		s.err = err
	}
	return n, err
}

// Discard removes the archive, unless it was stored.
func (a *Archive) Discard() error {
	if err := os.Remove(a.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("snapshots: discarding: %w", err)
	}
	return nil
}

// Build builds an archive in the snapshot's folder, replacing previous contents,
// and stores the archive. The output of the build is written to out as it is
// produced, after a line if the build has to wait for others. If Build fails, it
// removes the snapshot. It returns the errors of [builds.Builder.Build].
func (s *Store) Build(ctx context.Context, a *Archive, r Request, out io.Writer) (builds.Result, error) {
	err := s.queue.acquire(ctx, r.User, func() { _, _ = io.WriteString(out, "Waiting for other builds\n") }) // a client that has disconnected does not need it
	if err != nil {
		return builds.Result{}, fmt.Errorf("snapshots: waiting for other builds: %w", err)
	}
	defer s.queue.release(r.User)
	result, err := s.build(ctx, a, r, out)
	if err == nil {
		err = s.keep(a, r.User, r.App, r.ID)
	}
	if err != nil {
		return builds.Result{}, errors.Join(err, s.Remove(r.User, r.App, r.ID))
	}
	return result, nil
}

func (s *Store) build(ctx context.Context, a *Archive, r Request, out io.Writer) (builds.Result, error) {
	dir := s.BuiltDir(r.User, r.App, r.ID)
	if err := s.Remove(r.User, r.App, r.ID); err != nil {
		return builds.Result{}, err
	}
	as, err := s.o.Credential(r.User, r.App)
	if err != nil {
		return builds.Result{}, fmt.Errorf("snapshots: building: %w", err)
	}
	for _, above := range []string{filepath.Dir(filepath.Dir(dir)), filepath.Dir(dir)} {
		if err := passable(above); err != nil {
			return builds.Result{}, fmt.Errorf("snapshots: creating the folder: %w", err)
		}
	}
	file, err := os.Open(a.path)
	if err != nil {
		return builds.Result{}, fmt.Errorf("snapshots: building: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	return s.o.Builder.Build(ctx, builds.Snapshot{
		Tgz: file, Dir: dir, Root: r.Root, Env: r.Env, Credential: as,
		Home: s.home(r.User, r.App), Dependencies: s.dependencies(r.User, r.App),
	}, out)
}

// keep moves the archive to its final path, durably.
func (s *Store) keep(a *Archive, user, app, id string) error {
	path := s.archive(user, app, id)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("snapshots: storing the archive: %w", err)
	}
	if err := atomicfile.Rename(a.path, path); err != nil {
		return fmt.Errorf("snapshots: storing the archive: %w", err)
	}
	return nil
}

// Open opens the archive of a snapshot; the caller closes it.
func (s *Store) Open(user, app, id string) (*os.File, error) {
	file, err := os.Open(s.archive(user, app, id))
	if err != nil {
		return nil, fmt.Errorf("snapshots: opening: %w", err)
	}
	return file, nil
}

// Remove removes the files of a snapshot, and dependencies that no other snapshot
// of the app uses. It is not an error if there are none.
func (s *Store) Remove(user, app, id string) error {
	err := removeAll(s.archive(user, app, id), s.BuiltDir(user, app, id))
	return errors.Join(err, s.dependencies(user, app).Prune())
}

// RemoveApp removes all snapshots of an app.
func (s *Store) RemoveApp(user, app string) error {
	return removeAll(filepath.Join(s.o.Dir, user, app), filepath.Join(s.o.Builds, user, app))
}

func removeAll(paths ...string) error {
	var failures []error
	for _, path := range paths {
		failures = append(failures, os.RemoveAll(path))
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("snapshots: removing: %w", err)
	}
	return nil
}
