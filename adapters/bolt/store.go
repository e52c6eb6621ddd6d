package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/adapters/internal/availability"
	"github.com/nodejitsu/webhooks/adapters/internal/batch"
	"github.com/nodejitsu/webhooks/adapters/internal/watchers"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/status"
)

// Store is the embedded store. Its methods may be called concurrently between
// Start and Stop; before and after they fail.
type Store struct {
	o      Options
	ready  chan struct{}
	steady func() time.Time // a clock that is never set back
	run    int64            // number of this run, see claim

	opened sync.RWMutex // held for reading while db is used, for writing while it is replaced
	db     *bbolt.DB    // nil: the file can't be opened
	floor  int64        // every new Order is higher

	newest atomic.Int64 // when the newest entry was accepted that was there at the start

	waiting *batch.Queue[*write]
	stop    context.CancelFunc
	running sync.WaitGroup

	state    *availability.State // whether the file can be written
	overload *availability.State
	watchers watchers.Watchers
	outbox   *outbox

	// Set by tests only.
	openFile  func(path string, flags int, mode os.FileMode) (*os.File, error)
	maxSize   int
	noJanitor bool
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
		o: o, steady: steadied(o.Now), ready: make(chan struct{}, 1), run: rand.Int64(), //nolint:gosec // it must differ, and need not be secret
		waiting: batch.New[*write](o.MaxWaiting, o.MaxWaitingBytes),
		state: &availability.State{
			Logger: o.Logger, Attrs: []any{"path", o.Path},
			Begins: "the store can't be written; deliveries are refused until it can",
			Lasts:  "the store still can't be written",
			Ends:   "the store can be written again",
		},
		overload: &availability.State{
			Logger: o.Logger, Minor: true,
			Begins: "the store is overloaded; deliveries are refused",
			Lasts:  "the store is still overloaded",
			Ends:   "the store is not overloaded any more",
		},
	}
	s.outbox = &outbox{s: s, leases: map[string]time.Time{}}
	return s
}

var errClosed = batch.ErrClosed

// format is the version of the table in doc.go.
const format = "3"

// Start opens the file, or creates it if it is missing. It fails if another process
// has it open, or if another version of the program wrote it.
//
// If the disk does not accept writes because it is full, Start succeeds: the file
// can be read, and until the disk accepts writes, Check and all writes fail.
func (s *Store) Start(ctx context.Context) error {
	err := s.open()
	if err != nil && !full(err) {
		return err
	}
	if err == nil {
		err = s.prepare()
	}
	switch {
	case errors.Is(err, errFormat):
		return errors.Join(err, s.close())
	case err != nil:
		s.state.Begin(err)
	}
	s.waiting.Open()
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.running.Go(func() { s.writer(ctx) })
	if !s.noJanitor {
		s.running.Go(func() { s.janitor(ctx) })
	}
	s.signal()
	return nil
}

// full reports whether err means that the disk is full.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// open opens the file, which one process may have open at a time.
func (s *Store) open() error {
	if err := os.MkdirAll(filepath.Dir(s.o.Path), 0o700); err != nil {
		return fmt.Errorf("bolt: making the folder of the store: %w", err)
	}
	_, missing := os.Stat(s.o.Path)
	db, err := openFile(s.o.Path, &bbolt.Options{FreelistType: bbolt.FreelistMapType, OpenFile: s.openFile, MaxSize: s.maxSize})
	if err != nil && missing != nil {
		return errors.Join(err, ignoreNotExist(os.Remove(s.o.Path))) // it is incomplete
	}
	if err != nil {
		return err
	}
	s.db = db
	return nil
}

func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

var errFormat = errors.New("the file has another format")

// roomSize is the number of free bytes that the store needs. Less may fit into free
// pages of the file although the disk has no room for a delivery.
const roomSize = 256 << 10

// prepare creates the buckets of a new file and compares the clock with the last
// acceptance. It always writes, so it fails if the disk is full.
func (s *Store) prepare() error {
	now := s.o.Now()
	err := s.db.Update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucketIfNotExists([]byte(bucketMeta))
		if err != nil {
			return err
		}
		if found := meta.Get([]byte(metaFormat)); found != nil && string(found) != format {
			return fmt.Errorf("%w: got %q, want %q; use the version of the program that wrote it", errFormat, found, format)
		}
		for _, name := range buckets() {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		if last := meta.Get([]byte(metaLast)); len(last) == 16 && s.floor == 0 {
			accepted := timeOf(number(last[8:]))
			s.newest.Store(nanos(accepted))
			if accepted.After(now) {
				s.o.Logger.Warn("clock set back: the newest entry is in the future",
					"accepted_at", accepted, "now", now, "ahead", accepted.Sub(now).String())
			}
		}
		if err := meta.Put([]byte(metaRoom), make([]byte, roomSize)); err != nil {
			return err
		}
		return meta.Put([]byte(metaFormat), []byte(format))
	})
	if err == nil {
		err = s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(bucketMeta)).Delete([]byte(metaRoom)) })
	}
	if err != nil {
		return errors.Join(fmt.Errorf("bolt: %s: %w", s.o.Path, err), s.closeNew())
	}
	// A new store, or an older copy of one, must not assign an Order that entries had
	// before. A wrong clock only makes a gap in the numbers.
	if s.floor == 0 {
		s.floor = now.UnixMilli()
	}
	return nil
}

// closeNew closes a file without buckets, which can not be read.
func (s *Store) closeNew() error {
	empty := false
	err := s.db.View(func(tx *bbolt.Tx) error {
		empty = tx.Bucket([]byte(bucketMeta)) == nil
		return nil
	})
	if err == nil && empty {
		err = s.close()
	}
	return err
}

// close closes the file, if it is open.
func (s *Store) close() error {
	if s.db == nil {
		return nil
	}
	err := s.db.Close()
	s.db = nil
	if err != nil {
		return fmt.Errorf("bolt: closing %s: %w", s.o.Path, err)
	}
	return nil
}

// Stop closes the file after the writes that have begun. It may be called without
// Start, and twice.
func (s *Store) Stop(context.Context) error {
	if s.stop == nil {
		return nil
	}
	for _, w := range s.waiting.Close() {
		w.fail(errClosed)
	}
	s.stop()
	s.running.Wait()
	s.stop = nil
	s.opened.Lock()
	defer s.opened.Unlock()
	return s.close()
}

// Check returns an error if the store is known not to be writable.
func (s *Store) Check(context.Context) error {
	if !s.waiting.IsOpen() {
		return errClosed
	}
	return s.state.Err()
}

// ClockBehind returns by how much the clock is behind the newest entry that was
// there at the start; 0 if it is not. Then it is wrong now, or was when that entry was
// accepted.
func (s *Store) ClockBehind() time.Duration {
	return max(0, timeOf(s.newest.Load()).Sub(s.o.Now()))
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
	if !s.waiting.IsOpen() {
		return errClosed
	}
	s.opened.RLock()
	defer s.opened.RUnlock()
	if s.db == nil {
		return fmt.Errorf("%w: %w", errClosed, s.state.Err())
	}
	return s.db.View(func(tx *bbolt.Tx) error { return f(s.table(tx)) })
}

func (s *Store) table(tx *bbolt.Tx) table { return table{tx: tx, run: s.run, floor: s.floor} }

func wrap(doing, what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("bolt: %s %q: %w", doing, what, err)
}
