package bolt

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// The pauses between two tries to write again.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// heal brings a store back whose disk did not take a transaction, as one that
// is full for a while: it opens the file anew, as that alone tells what is on
// disk, until it can write to it. Until then nothing is written, and what is
// there can be read.
func (s *Store) heal(ctx context.Context) {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		if !s.refuse(ctx, pause) {
			return
		}
		if err := s.reopen(); err != nil {
			s.found(err)
			continue
		}
		s.o.Logger.Info("the store writes again", "path", s.o.Path)
		s.found(nil)
		s.signal()
		return
	}
}

// refuse refuses writes, which came before it was known that they are in vain,
// for a while; false where ctx ends.
func (s *Store) refuse(ctx context.Context, while time.Duration) bool {
	timer := time.NewTimer(while)
	defer timer.Stop()
	for {
		select {
		case w := <-s.writes:
			if w.state.CompareAndSwap(waiting, running) {
				w.done <- s.Check(ctx)
			}
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// reopen opens the file anew and writes to it. The claims stay: this process
// made them, and is at work.
func (s *Store) reopen() error {
	if err := s.readAnew(); err != nil {
		return err
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("format"), []byte(format))
	})
	if err != nil {
		return fmt.Errorf("bolt: writing to %s: %w", s.o.Path, err)
	}
	return nil
}

func (s *Store) readAnew() error {
	s.opened.Lock()
	defer s.opened.Unlock()
	if err := s.db.Close(); err != nil {
		s.o.Logger.Warn("closing the store failed", "path", s.o.Path, "error", err)
	}
	db, err := s.open()
	if err != nil {
		return err // who reads is told that it is not open
	}
	s.db = db
	return nil
}
