package redis

import (
	"fmt"
	"strconv"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// encode returns an entry as it is stored. The values that scripts set are stored
// separately, see core.EncodedChange.
func (p *packer) encode(e core.Entry) ([]byte, error) {
	encoded, err := core.EncodeEntry(e)
	if err != nil {
		return nil, err
	}
	return p.pack(encoded)
}

// updated is the UpdatedAt of an entry as it is stored: in nanoseconds, "" if it is
// not set.
func updated(e core.Entry) string {
	if e.UpdatedAt.IsZero() {
		return ""
	}
	return strconv.FormatInt(e.UpdatedAt.UnixNano(), 10)
}

// change returns the change that is stored in these parts.
func (p *packer) change(doc, revision, attempts, updated, seq, order string) (c core.EncodedChange, err error) {
	if c.Entry, err = p.unpack(doc); err != nil {
		return core.EncodedChange{}, fmt.Errorf("an entry is damaged: %w", err)
	}
	if c.Revision, err = strconv.ParseInt(revision, 10, 64); err != nil {
		return core.EncodedChange{}, fmt.Errorf("the revision of an entry is damaged: %w", err)
	}
	if c.Attempts, err = strconv.Atoi(attempts); err != nil {
		return core.EncodedChange{}, fmt.Errorf("the attempts of an entry are damaged: %w", err)
	}
	if c.Order, err = strconv.ParseInt(order, 10, 64); err != nil {
		return core.EncodedChange{}, fmt.Errorf("the order of an entry is damaged: %w", err)
	}
	if updated != "" {
		nanos, err := strconv.ParseInt(updated, 10, 64)
		if err != nil {
			return core.EncodedChange{}, fmt.Errorf("the time of an entry is damaged: %w", err)
		}
		c.UpdatedAt = time.Unix(0, nanos).UTC()
	}
	c.Seq, err = core.ParseSeq(seq)
	return c, err
}

// stored parses the result of the scripts' function stored. It returns
// core.ErrNotFound if there is no entry.
func (l list) stored() (core.Change, error) {
	if len(l.values) == 0 || l.values[0] == nil {
		return core.Change{}, core.ErrNotFound
	}
	c, err := l.r.packer.change(l.at(0).text(), l.at(1).text(), l.at(2).text(), l.at(3).text(), l.at(4).text(), l.at(5).text())
	if err != nil {
		return core.Change{}, err
	}
	return c.Decode()
}

// micros returns a time as the scripts use it; 0 is "at once", or unknown. It is
// rounded up, so that nothing happens early.
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
