package bolt

import (
	"github.com/nodejitsu/webhooks/core"
)

// claim is the claim of an entry. One of another run was made by a process that
// has ended, and has expired.
type claim struct {
	order int64
	run   int64
	ends  int64 // when its lease ends, by the steady clock
	lane  string
	app   string // user/app that it was extended to
}

func (c claim) expired(now int64) bool { return c.ends <= now }

func (t table) putClaim(c claim) error {
	value := appendNumber(appendNumber(nil, c.run), c.ends)
	value = append(appendText(value, c.lane), c.app...)
	return t.put(bucketClaims, orderKey(c.order), value)
}

func (t table) parseClaim(key, value []byte) (claim, error) {
	c := claim{order: number(key), run: number(value)}
	if len(value) < 16 {
		return claim{}, errDamaged
	}
	if c.run == t.run {
		c.ends = number(value[8:])
	}
	lane, app, ok := cutText(value[16:])
	if !ok {
		return claim{}, errDamaged
	}
	c.lane, c.app = string(lane), string(app)
	return c, nil
}

// claims returns all claims, including expired ones. There are at most as many as
// workers of this process and the previous one.
func (t table) claims() (all []claim, err error) {
	err = t.bucket(bucketClaims).ForEach(func(key, value []byte) error {
		c, err := t.parseClaim(key, value)
		all = append(all, c)
		return err
	})
	return all, err
}

// claimed returns the claim of an attempt at an entry, or core.ErrConflict if it was
// lost: if it has expired and the entry, its lane or its app was claimed again.
func (t table) claimed(r record, attempt int, now int64) (claim, error) {
	value := t.get(bucketClaims, orderKey(r.order))
	if value == nil || r.attempts != int64(attempt) {
		return claim{}, core.ErrConflict
	}
	c, err := t.parseClaim(orderKey(r.order), value)
	if err != nil || !c.expired(now) {
		return c, err
	}
	others, err := t.claims()
	for _, o := range others {
		same := c.lane != "" && o.lane == c.lane || c.app != "" && o.app == c.app
		if o.order != c.order && same && !o.expired(now) {
			return claim{}, core.ErrConflict
		}
	}
	return c, err
}

// laneClaimed reports whether an entry of the lane is claimed.
func (t table) laneClaimed(lane string) (bool, error) {
	all, err := t.claims()
	for _, c := range all {
		if c.lane == lane {
			return true, err
		}
	}
	return false, err
}
