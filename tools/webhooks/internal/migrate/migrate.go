// Package migrate copies an embedded store into Redis.
package migrate

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/nodejitsu/webhooks/adapters/bolt"
	"github.com/nodejitsu/webhooks/adapters/redis"
	"github.com/nodejitsu/webhooks/adapters/transfer"
	"github.com/nodejitsu/webhooks/core"
)

// Report says what was done so far.
type Report struct {
	Doing    string // such as "copying entries"
	Entries  int    // copied or there already
	Added    int    // of them, those that were not there
	Changes  int    // as Entries
	Appended int    // as Added
	Users    int
	Verified int // entries and changes that were read back and are the same
}

// page is how many changes are read and written at once.
const page = 200

// Run copies all of from into to, and then reads it back and compares. What is
// there already is passed over, so it may be broken off and run again. tell is
// called now and then. Neither store may be written by others meanwhile.
func Run(ctx context.Context, from *bolt.Store, to *redis.Store, tell func(Report)) (Report, error) {
	m := &migration{from: from, to: to, tell: tell}
	for _, step := range []struct {
		doing string
		do    func(context.Context) error
	}{
		{"copying entries", m.entries},
		{"copying lanes", m.lanes},
		{"copying changes", m.changes},
		{"comparing entries", m.compareEntries},
		{"comparing changes", m.compareChanges},
	} {
		m.report.Doing = step.doing
		if err := step.do(ctx); err != nil {
			return m.report, fmt.Errorf("%s: %w", step.doing, err)
		}
	}
	m.report.Doing = "done"
	return m.report, nil
}

type migration struct {
	from   *bolt.Store
	to     *redis.Store
	tell   func(Report)
	report Report
	users  map[string]core.Seq // and the Seq of the last change that is not kept
}

func (m *migration) entries(ctx context.Context) error {
	return m.from.EachKept(ctx, func(kept transfer.Kept) error {
		added, err := m.to.Import(ctx, kept)
		if err != nil {
			return err
		}
		m.report.Entries++
		if added {
			m.report.Added++
		}
		m.tell(m.report)
		return nil
	})
}

func (m *migration) lanes(ctx context.Context) error {
	lanes, err := m.from.Lanes(ctx)
	if err != nil {
		return err
	}
	for _, lane := range lanes {
		if err := m.to.ImportLane(ctx, lane); err != nil {
			return err
		}
	}
	joined, err := m.from.Joined(ctx)
	if err != nil {
		return err
	}
	for app, newest := range joined {
		if err := m.to.ImportJoined(ctx, app, newest); err != nil {
			return err
		}
	}
	return nil
}

func (m *migration) changes(ctx context.Context) (err error) {
	if m.users, err = m.from.Feeds(ctx); err != nil {
		return err
	}
	for _, user := range slices.Sorted(maps.Keys(m.users)) {
		m.report.Users++
		err := m.eachPage(ctx, m.from, user, func(changes []core.Change) error {
			appended, err := m.to.ImportChanges(ctx, user, m.users[user], changes)
			m.report.Changes += len(changes)
			m.report.Appended += appended
			m.tell(m.report)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// log is what both stores have.
type log interface {
	Changes(ctx context.Context, user string, since core.Seq, limit int) ([]core.Change, error)
}

func (m *migration) eachPage(ctx context.Context, from log, user string, f func([]core.Change) error) error {
	var since core.Seq
	for {
		changes, err := from.Changes(ctx, user, since, page)
		if err != nil || len(changes) == 0 {
			return err
		}
		if err := f(changes); err != nil {
			return err
		}
		since = changes[len(changes)-1].Seq
	}
}

func (m *migration) compareEntries(ctx context.Context) error {
	return m.from.EachKept(ctx, func(kept transfer.Kept) error {
		found, err := m.to.Find(ctx, kept.Change.Entry.ID)
		if err != nil {
			return err
		}
		if !reflect.DeepEqual(found, kept.Change) {
			return fmt.Errorf("entry %s is not the same in Redis; is a server running on it?", kept.Change.Entry.ID)
		}
		m.report.Verified++
		m.tell(m.report)
		return nil
	})
}

func (m *migration) compareChanges(ctx context.Context) error {
	for _, user := range slices.Sorted(maps.Keys(m.users)) {
		var before core.Seq
		err := m.eachPage(ctx, m.from, user, func(wanted []core.Change) error {
			found, err := m.to.Changes(ctx, user, before, len(wanted))
			if err != nil {
				return err
			}
			if !reflect.DeepEqual(found, wanted) {
				return fmt.Errorf("the changes of %s after %s are not the same in Redis; is a server running on it?", user, before)
			}
			before = wanted[len(wanted)-1].Seq
			m.report.Verified += len(wanted)
			m.tell(m.report)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
