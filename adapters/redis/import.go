package redis

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/nodejitsu/webhooks/adapters/transfer"
	"github.com/nodejitsu/webhooks/core"
)

// Imported is what became of something that was to be imported.
type Imported string

// What may become of it. Where a server has used this store since, some is
// newer here, and some is gone again; that is left as it is.
const (
	Added Imported = "added"
	Known Imported = "known" // it is here already, as it is there
	Newer Imported = "newer" // it was changed here since
	Gone  Imported = "gone"  // it was moved before, and removed here since
)

// Import writes an entry of another store, where that is not here or is here as
// it was before. Its changes are written by [Store.ImportChanges].
func (s *Store) Import(ctx context.Context, k transfer.Kept) (Imported, error) {
	e := k.Change.Entry
	doc, err := s.packer.encode(e)
	if err != nil {
		return "", wrap("import", e.ID, err)
	}
	payload, err := s.packer.pack(k.Payload)
	if err != nil {
		return "", wrap("import", e.ID, err)
	}
	args := []any{
		e.ID, e.User, doc, e.Revision, e.Attempts, k.Change.Seq.String(), flag(!e.Status.Outcome()), e.App, e.Repository.Key(),
		payload, s.left(e.CreatedAt, s.o.KeepPayloads).Milliseconds(), k.Key, s.left(k.KeyMade, s.o.KeepKeys).Milliseconds(),
		k.Lane, flag(k.Queued), micros(k.At), flag(k.Owed),
	}
	for _, commit := range append([]string{e.Commit.ID}, e.Commits...) {
		if commit != "" {
			args = append(args, commit)
		}
	}
	r, err := s.call(ctx, "import", args...)
	if err != nil {
		return "", wrap("import", e.ID, err)
	}
	became := Imported(r.text())
	return became, wrap("import", e.ID, r.err)
}

// left returns how much of its life is left of what was made then.
func (s *Store) left(made time.Time, life time.Duration) time.Duration {
	return max(life-s.now().Sub(made), 0)
}

// errDiffers says that something is not what it was there.
var errDiffers = errors.New("not the same in Redis")

// Compare reads back what [Store.Import] wrote, and fails where it is not what
// was to be written. What is newer or gone can't be compared.
func (s *Store) Compare(ctx context.Context, k transfer.Kept) (Imported, error) {
	id := k.Change.Entry.ID
	r, err := s.call(ctx, "kept", id, k.Change.Entry.User, k.Key)
	if err != nil {
		return "", wrap("compare", id, err)
	}
	fields := r.list()
	change, err := told(fields.at(0).list())
	if errors.Is(err, core.ErrNotFound) {
		return Gone, wrap("compare", id, s.missing(ctx, id))
	}
	if err != nil {
		return "", wrap("compare", id, err)
	}
	if rev := k.Change.Entry.Revision; change.Entry.Revision > rev || change.Entry.Revision == rev && change.Seq != k.Change.Seq {
		return Newer, nil
	}
	payload, err := s.packer.unpack(fields.at(1).text())
	if err != nil {
		return "", wrap("compare", id, err)
	}
	here := transfer.Kept{
		Change: change, Payload: payload, Key: k.Key, KeyMade: k.KeyMade, Lane: fields.at(3).text(),
		Queued: fields.at(4).text() == "1", At: time.UnixMicro(fields.at(5).number()),
	}
	if key := fields.at(2).text(); key != id {
		here.Key = key
	}
	if k.Owed && fields.at(6).text() != "1" { // somebody told it since
		if err := s.missing(ctx, id); err != nil {
			return "", wrap("compare", id, fmt.Errorf("its outcome is not to be told: %w", err))
		}
	}
	if differs := s.differs(here, k); differs != "" || r.err != nil {
		return "", wrap("compare", id, errors.Join(fmt.Errorf("its %s: %w", differs, errDiffers), r.err))
	}
	return Known, nil
}

// missing tells what is wrong where something of an entry is not here: nothing,
// where it was moved whole before, as servers have done away with it since.
func (s *Store) missing(ctx context.Context, id string) error {
	last, err := s.Moved(ctx)
	if err == nil && last < id {
		err = errDiffers
	}
	return err
}

// differs names what is here another than it is there; "" for nothing. What
// ends by itself need not be here.
func (s *Store) differs(here, there transfer.Kept) string {
	const soon = time.Second
	switch {
	case !reflect.DeepEqual(here.Change, there.Change):
		return "document"
	case string(here.Payload) != string(there.Payload) && s.left(there.Change.Entry.CreatedAt, s.o.KeepPayloads) > soon:
		return "payload"
	case here.Key != there.Key && s.left(there.KeyMade, s.o.KeepKeys) > soon:
		return "key"
	case here.Lane != there.Lane:
		return "lane"
	case here.Queued != there.Queued:
		return "place in the queue"
	// What another woke is ready earlier, and no change tells that.
	case there.Queued && here.At.UnixMicro() != micros(there.At) && here.At.UnixMicro() != 0:
		return "time in the queue"
	}
	return ""
}

// ImportLane writes what another store keeps of a lane, unless it is newer here.
func (s *Store) ImportLane(ctx context.Context, l transfer.Lane) error {
	_, err := s.call(ctx, "importlane", l.Name, l.Newest, micros(l.PushedAt))
	return wrap("import lane", l.Name, err)
}

// CompareLane reads back what ImportLane wrote, and fails where that is neither
// the same nor newer.
func (s *Store) CompareLane(ctx context.Context, l transfer.Lane) error {
	found, err := s.client.HMGet(ctx, s.base()+"l:"+l.Name, "id", "pushed").Result()
	if err != nil {
		return wrap("compare lane", l.Name, err)
	}
	newest, _ := found[0].(string)
	text, _ := found[1].(string)
	pushed, _ := strconv.ParseInt(text, 10, 64) // 0 where it is not known
	if newest == l.Newest && pushed == micros(l.PushedAt) || newest > l.Newest || pushed > micros(l.PushedAt) {
		return nil
	}
	return wrap("compare lane", l.Name, errDiffers)
}

// ImportJoined writes the newest entry of an app, user/app, unless a newer one
// has joined it here.
func (s *Store) ImportJoined(ctx context.Context, app, newest string) error {
	_, err := s.call(ctx, "importapp", app, newest)
	return wrap("import app", app, err)
}

// CompareJoined reads back what ImportJoined wrote, as CompareLane does.
func (s *Store) CompareJoined(ctx context.Context, app, newest string) error {
	found, err := s.client.Get(ctx, s.base()+"a:"+app).Result()
	if err == nil && found < newest {
		err = errDiffers
	}
	return wrap("compare app", app, err)
}

// ImportChanges writes changes of a user's log, in their order, and that those
// up to trimmed are not kept. Those that are here already, or are older than one
// that is, are passed over; added is how many were not.
func (s *Store) ImportChanges(ctx context.Context, user string, trimmed core.Seq, changes []core.Change) (added int, err error) {
	before := ""
	if !trimmed.IsZero() {
		before = trimmed.String()
	}
	args := []any{user, before}
	for _, c := range changes {
		doc, err := s.packer.encode(c.Entry)
		if err != nil {
			return 0, wrap("import changes", user, err)
		}
		args = append(args, c.Seq.String(), strconv.FormatUint(c.Seq.Millis, 10), strconv.FormatUint(c.Seq.N, 10),
			doc, c.Entry.Revision, c.Entry.Attempts)
	}
	r, err := s.call(ctx, "importlog", args...)
	if err != nil {
		return 0, wrap("import changes", user, err)
	}
	n, _ := r.value.(int64)
	return int(n), nil
}

// Moved returns the id of the last entry of another store that was moved here
// whole; "" where none was.
func (s *Store) Moved(ctx context.Context) (string, error) {
	last, err := s.client.Get(ctx, s.base()+"moved").Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return last, wrap("moved", "", err)
}

// SetMoved writes down that all up to the entry last was moved. From then on what
// is here no more was removed here.
func (s *Store) SetMoved(ctx context.Context, last string) error {
	return wrap("moved", last, s.client.Set(ctx, s.base()+"moved", last, 0).Err())
}
