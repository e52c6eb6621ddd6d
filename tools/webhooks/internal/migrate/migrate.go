// Package migrate copies an embedded store into Redis.
package migrate

import (
	"context"
	"errors"
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
	Passed   int // entries and changes that were not, as servers have used Redis since
}

// page is how many changes are read and written at once.
const page = 200

// Run copies all of from into to, and then reads it back and compares. What is
// there already is passed over, so it may be broken off and run again. Where it
// went through before, and servers have used to since, it undoes nothing that
// they did. tell is called now and then. from may not be written by others
// meanwhile.
func Run(ctx context.Context, from *bolt.Store, to *redis.Store, tell func(Report)) (Report, error) {
	m := &migration{from: from, to: to, tell: tell}
	before, err := to.Moved(ctx)
	if err != nil {
		return m.report, err
	}
	m.again = before != ""
	for _, step := range []struct {
		doing string
		do    func(context.Context) error
	}{
		{"copying entries", m.entries},
		{"copying lanes", m.lanes},
		{"copying changes", m.changes},
		{"comparing entries", m.compareEntries},
		{"comparing lanes", m.compareLanes},
		{"comparing changes", m.compareChanges},
	} {
		m.report.Doing = step.doing
		if err := step.do(ctx); err != nil {
			return m.report, fmt.Errorf("%s: %w", step.doing, err)
		}
	}
	m.report.Doing = "done"
	return m.report, to.SetMoved(ctx, max(before, m.last))
}

type migration struct {
	from   *bolt.Store
	to     *redis.Store
	again  bool // it went through before, so Redis may have gone on
	tell   func(Report)
	report Report
	last   string              // id of the last entry
	users  map[string]core.Seq // and the Seq of the last change that is not kept
}

func (m *migration) entries(ctx context.Context) error {
	return m.from.EachKept(ctx, func(kept transfer.Kept) error {
		became, err := m.to.Import(ctx, kept)
		if err != nil {
			return err
		}
		m.last = kept.Change.Entry.ID
		m.report.Entries++
		if became == redis.Added {
			m.report.Added++
		}
		m.tell(m.report)
		return nil
	})
}

func (m *migration) lanes(ctx context.Context) error {
	return m.eachLane(ctx, m.to.ImportLane, m.to.ImportJoined)
}

// eachLane calls one function with each lane, and another with each app and the
// newest entry that joined it.
func (m *migration) eachLane(
	ctx context.Context, lane func(context.Context, transfer.Lane) error, app func(ctx context.Context, app, newest string) error,
) error {
	lanes, err := m.from.Lanes(ctx)
	if err != nil {
		return err
	}
	for _, l := range lanes {
		if err := lane(ctx, l); err != nil {
			return err
		}
	}
	joined, err := m.from.Joined(ctx)
	if err != nil {
		return err
	}
	for name, newest := range joined {
		if err := app(ctx, name, newest); err != nil {
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
		became, err := m.to.Compare(ctx, kept)
		if err != nil {
			return err
		}
		if became == redis.Known {
			m.report.Verified++
		} else {
			m.report.Passed++
		}
		m.tell(m.report)
		return nil
	})
}

func (m *migration) compareLanes(ctx context.Context) error {
	return m.eachLane(ctx, m.to.CompareLane, m.to.CompareJoined)
}

func (m *migration) compareChanges(ctx context.Context) error {
	for _, user := range slices.Sorted(maps.Keys(m.users)) {
		var before core.Seq
		err := m.eachPage(ctx, m.from, user, func(wanted []core.Change) error {
			err := m.comparePage(ctx, user, before, wanted)
			before = wanted[len(wanted)-1].Seq
			m.tell(m.report)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// comparePage compares changes that are all there are after before. Where
// servers have used Redis since an earlier run, it need not have them any more.
func (m *migration) comparePage(ctx context.Context, user string, before core.Seq, wanted []core.Change) error {
	found, err := m.to.Changes(ctx, user, before, len(wanted))
	if err != nil && (!m.again || !errors.Is(err, core.ErrGone)) {
		return err
	}
	here := map[core.Seq]core.Change{}
	for _, c := range found {
		here[c.Seq] = c
	}
	for _, want := range wanted {
		c, there := here[want.Seq]
		switch {
		case there && reflect.DeepEqual(c, want):
			m.report.Verified++
		case !there && m.again:
			m.report.Passed++
		default:
			return fmt.Errorf("the change %s of %s is not the same in Redis; is a server running on it?", want.Seq, user)
		}
	}
	return nil
}
