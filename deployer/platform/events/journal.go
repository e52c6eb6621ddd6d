// Package events keeps the events of apps until a server has recorded them in its
// log of deliveries.
package events

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/bucket"
)

const (
	bucketEvents = "events" // sequence number, 8 bytes → Event

	maxEvents = 1000 // that are kept; the oldest are dropped, as if no server records them
	maxBatch  = 100  // that Next returns
)

// Event is an event of an app in the journal.
type Event struct {
	Seq uint64 `json:"seq"` // increases with each event of the journal
	ID  string `json:"id"`  // differs from that of any other event, of other platforms too
	apps.Event
}

// Journal is safe for concurrent use.
type Journal struct {
	db *bbolt.DB

	mu     sync.Mutex
	added  chan struct{} // closed when an event is added
	closed bool
}

// Open returns the journal in a database.
func Open(db *bbolt.DB) (*Journal, error) {
	if err := bucket.Create(db, bucketEvents); err != nil {
		return nil, fmt.Errorf("events: preparing the bucket: %w", err)
	}
	return &Journal{db: db, added: make(chan struct{})}, nil
}

// Add adds an event in a transaction of the database.
func (j *Journal) Add(tx *bbolt.Tx, e apps.Event) error {
	if err := put(tx.Bucket([]byte(bucketEvents)), e); err != nil {
		return fmt.Errorf("events: adding: %w", err)
	}
	tx.OnCommit(j.wake)
	return nil
}

func put(b *bbolt.Bucket, e apps.Event) error {
	seq, err := b.NextSequence()
	if err != nil {
		return err
	}
	text, err := json.Marshal(Event{seq, rand.Text(), e})
	if err != nil {
		return err
	}
	if seq > maxEvents {
		if err := remove(b, seq-maxEvents); err != nil {
			return err
		}
	}
	return b.Put(key(seq), text)
}

// wake wakes all calls of Next.
func (j *Journal) wake() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.closed {
		close(j.added)
		j.added = make(chan struct{})
	}
}

// Next returns the oldest events, at most 100. If there are none it waits for one
// until ctx ends or the journal is closed, and then returns none.
func (j *Journal) Next(ctx context.Context) ([]Event, error) {
	for {
		j.mu.Lock()
		added, closed := j.added, j.closed
		j.mu.Unlock()
		if closed {
			return nil, nil
		}
		found, err := j.read()
		if err != nil || len(found) > 0 {
			return found, err
		}
		select {
		case <-added:
		case <-ctx.Done():
			return nil, nil
		}
	}
}

func (j *Journal) read() (found []Event, err error) {
	err = j.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(bucketEvents)).Cursor()
		for k, text := c.First(); k != nil && len(found) < maxBatch; k, text = c.Next() {
			var e Event
			if err := json.Unmarshal(text, &e); err != nil {
				return fmt.Errorf("events: event %x is damaged: %w", k, err)
			}
			found = append(found, e)
		}
		return nil
	})
	return found, err
}

// Remove removes the events up to and including that with the number seq.
func (j *Journal) Remove(seq uint64) error {
	err := j.db.Update(func(tx *bbolt.Tx) error { return remove(tx.Bucket([]byte(bucketEvents)), seq) })
	if err != nil {
		return fmt.Errorf("events: removing: %w", err)
	}
	return nil
}

// Close ends all calls of Next, and those to come return nothing.
func (j *Journal) Close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.closed {
		j.closed = true
		close(j.added)
	}
}

func remove(b *bbolt.Bucket, seq uint64) error {
	last := key(seq)
	c := b.Cursor()
	for k, _ := c.First(); k != nil && bytes.Compare(k, last) <= 0; k, _ = c.First() {
		if err := c.Delete(); err != nil {
			return err
		}
	}
	return nil
}

func key(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }
