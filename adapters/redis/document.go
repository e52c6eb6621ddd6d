package redis

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// encode returns an entry as it is stored. Order, Revision and Attempts
// stand beside it, so that a script can raise them.
func (p *packer) encode(e core.Entry) ([]byte, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	return p.pack(text)
}

// decode makes a change of an entry as it is stored and what stands beside it.
// updated, in microseconds since 1970, is "" where the entry itself tells it.
func (p *packer) decode(doc, revision, attempts, updated, seq, order string) (c core.Change, err error) {
	text, err := p.unpack(doc)
	if err != nil {
		return core.Change{}, fmt.Errorf("an entry is damaged: %w", err)
	}
	if err := json.Unmarshal(text, &c.Entry); err != nil {
		return core.Change{}, fmt.Errorf("an entry is damaged: %w", err)
	}
	if c.Entry.Revision, err = strconv.ParseInt(revision, 10, 64); err != nil {
		return core.Change{}, fmt.Errorf("the revision of an entry is damaged: %w", err)
	}
	if c.Entry.Attempts, err = strconv.Atoi(attempts); err != nil {
		return core.Change{}, fmt.Errorf("the attempts of an entry are damaged: %w", err)
	}
	if c.Entry.Order, err = strconv.ParseInt(order, 10, 64); err != nil {
		return core.Change{}, fmt.Errorf("the order of an entry is damaged: %w", err)
	}
	if updated != "" {
		micros, err := strconv.ParseInt(updated, 10, 64)
		if err != nil {
			return core.Change{}, fmt.Errorf("the time of an entry is damaged: %w", err)
		}
		c.Entry.UpdatedAt = time.UnixMicro(micros).UTC()
	}
	c.Seq, err = core.ParseSeq(seq)
	return c, err
}

// told reads what the scripts' function told returns. It fails with
// core.ErrNotFound where that is nothing.
func told(l list) (core.Change, error) {
	if len(l.values) == 0 || l.values[0] == nil {
		return core.Change{}, core.ErrNotFound
	}
	return l.r.packer.decode(l.at(0).text(), l.at(1).text(), l.at(2).text(), l.at(3).text(), l.at(4).text(), l.at(5).text())
}

// micros is a time as the scripts have it; 0 is "at once", or unknown. What
// is between two microseconds counts as the later one: nothing is early.
func micros(t time.Time) int64 {
	if t.Unix() <= 0 {
		return 0
	}
	return t.Add(time.Microsecond - 1).UnixMicro()
}

func flag(is bool) string {
	if is {
		return "1"
	}
	return "0"
}

func wrap(doing, what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("redis: %s %q: %w", doing, what, err)
}
