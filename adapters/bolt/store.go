package bolt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/adapters/internal/watchers"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/status"
)

// Options says where the file is and how long things are kept. Zero durations
// and counts have defaults.
type Options struct {
	Path   string // of the file; its folder is made where it is missing
	Now    func() time.Time
	Logger *slog.Logger

	KeepEntries  time.Duration // outcomes; 1 year. Live entries are always kept
	KeepPayloads time.Duration // 30 days
	KeepKeys     time.Duration // how long a repeat is known as one; 7 days
	KeepChanges  time.Duration // 7 days
	MaxEntries   int           // outcomes of one user; 10,000
	MaxChanges   int           // changes of one user; 10,000
}

func (o Options) withDefaults() Options {
	const day = 24 * time.Hour
	orDefault(&o.KeepEntries, 365*day)
	orDefault(&o.KeepPayloads, 30*day)
	orDefault(&o.KeepKeys, 7*day)
	orDefault(&o.KeepChanges, 7*day)
	orDefault(&o.MaxEntries, 10_000)
	orDefault(&o.MaxChanges, 10_000)
	if o.Now == nil {
		o.Now = func() time.Time { return time.Now().UTC() }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func orDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

// Store is the embedded store. Its methods may be called concurrently between
// Start and Stop; before and after they fail.
type Store struct {
	o     Options
	ready chan struct{}

	steady func() time.Time // a clock that nobody sets

	opened sync.RWMutex // held for reading while db is read, for writing while it is opened anew
	db     *bbolt.DB

	writes  chan *write
	gone    chan struct{} // closed when nobody takes writes any more
	stop    context.CancelFunc
	running sync.WaitGroup

	watchers watchers.Watchers
	outbox   *outbox

	mu     sync.Mutex
	broken error // why nothing is written now

	openFile func(path string, flags int, mode os.FileMode) (*os.File, error) // nil but in tests
}

var (
	_ deploy.Store   = (*Store)(nil)
	_ deploy.Queue   = (*Store)(nil)
	_ deploy.Watcher = (*Store)(nil)
	_ deploy.Outbox  = (*outbox)(nil)
	_ status.Log     = (*Store)(nil)
	_ status.Feed    = (*Store)(nil)
)

// New returns a Store whose file is not open yet.
func New(o Options) *Store {
	o = o.withDefaults()
	s := &Store{
		o: o, steady: steadied(o.Now), ready: make(chan struct{}, 1), writes: make(chan *write), gone: make(chan struct{}),
		broken: errClosed,
	}
	s.outbox = &outbox{s: s, leases: map[string]time.Time{}}
	return s
}

var errClosed = errors.New("the store is not open")

// format is the version of the table in doc.go.
const format = "1"

// Start opens the file, making it where there is none. It fails where another
// process has it open, and where a newer version wrote it.
func (s *Store) Start(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(s.o.Path), 0o700); err != nil {
		return fmt.Errorf("bolt: making the folder of the store: %w", err)
	}
	db, err := s.open()
	if err != nil {
		return err
	}
	if err := db.Update(func(tx *bbolt.Tx) error { return s.prepare(table{tx}) }); err != nil {
		return errors.Join(fmt.Errorf("bolt: %s: %w", s.o.Path, err), db.Close())
	}
	s.db = db
	s.setBroken(nil)
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.running.Go(func() { s.writer(ctx) })
	s.running.Go(func() { s.janitor(ctx) })
	s.signal()
	return nil
}

// open opens the file, which one process may have open at a time.
func (s *Store) open() (*bbolt.DB, error) {
	return openFile(s.o.Path, &bbolt.Options{FreelistType: bbolt.FreelistMapType, OpenFile: s.openFile})
}

// prepare makes the buckets, ends the claims of a process that died and compares
// the clock with what it said before.
func (s *Store) prepare(t table) error {
	tx := t.tx
	for _, name := range []string{"meta", "entries", "payloads", "keys", "users", "apps", "commits", "places", "queue", "claims", "lanes", "joined", "feeds", "changes", "outbox"} {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	meta := tx.Bucket([]byte("meta"))
	switch found := string(meta.Get([]byte("format"))); found {
	case "":
		if err := meta.Put([]byte("format"), []byte(format)); err != nil {
			return err
		}
	case format:
	default:
		return fmt.Errorf("the file has format %q, and this program knows %q; use the version that wrote it", found, format)
	}
	now := s.o.Now()
	if accepted := time.UnixMilli(t.number("accepted")).UTC(); accepted.After(now) {
		s.o.Logger.Warn("the clock was set back: the newest entry lies ahead of it",
			"accepted_at", accepted, "now", now, "ahead", accepted.Sub(now).String())
	}
	// A store that is new, or an older copy of one, gives no Order that entries had
	// before: a clock that is wrong makes a gap in the numbers and nothing worse.
	if err := t.setNumber("order", max(t.number("order"), now.UnixMilli())); err != nil {
		return err
	}
	return t.eachClaim(func(id string, p place) error {
		p.LeaseEnd = time.Unix(0, 1).UTC()
		return t.putPlace(id, p)
	})
}

// Stop closes the file when the writes at work are done. It may be called
// without Start, and twice.
func (s *Store) Stop(context.Context) error {
	if s.stop == nil {
		return nil
	}
	s.setBroken(errClosed)
	s.stop()
	s.running.Wait()
	s.stop = nil
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("bolt: closing %s: %w", s.o.Path, err)
	}
	return nil
}

// Check tells whether the store can write, as far as is known.
func (s *Store) Check(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

func (s *Store) setBroken(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = err
}

// found notes whether the open store can write.
func (s *Store) found(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !errors.Is(s.broken, errClosed) {
		s.broken = err
	}
}

// Payload returns an entry's payload as it came, or core.ErrNotFound.
func (s *Store) Payload(ctx context.Context, id string) (payload []byte, err error) {
	err = s.view(ctx, func(t table) error {
		stored := t.bucket("payloads").Get([]byte(id))
		if stored == nil {
			return core.ErrNotFound
		}
		payload = append([]byte{}, stored...)
		return nil
	})
	return payload, wrap("payload", id, err)
}

// Watch implements deploy.Watcher and status.Feed.
func (s *Store) Watch(user string) (<-chan struct{}, func()) { return s.watchers.Watch(user) }

// Ready implements deploy.Queue.
func (s *Store) Ready() <-chan struct{} { return s.ready }

func (s *Store) signal() { watchers.Signal(s.ready) }

// view reads in one transaction.
func (s *Store) view(ctx context.Context, f func(table) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	closed := errors.Is(s.broken, errClosed)
	s.mu.Unlock()
	if closed {
		return errClosed
	}
	s.opened.RLock()
	defer s.opened.RUnlock()
	return s.db.View(func(tx *bbolt.Tx) error { return f(table{tx}) })
}

func wrap(doing, what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("bolt: %s %q: %w", doing, what, err)
}
