package redis

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// Deliveries that arrive while others are being stored are stored by the next call
// of the script: one round trip and one sync of Redis for all of them.
const (
	senders       = 2  // concurrent calls
	maxBatch      = 64 // deliveries in a call, so that Redis is not kept busy for long
	maxBatchBytes = 4 << 20
)

// delivery is a delivery that waits to be stored.
type delivery struct {
	args    []any // of the script, without the deadline
	ends    time.Time
	state   atomic.Int32
	answer  chan answer // size 1
	retried bool
}

// answer is the result of the script for a delivery.
type answer struct {
	fields list
	err    error
}

// The states of a delivery. Either a sender changes it from waiting, and sends it, or
// the caller whose context has ended, and it is never sent.
const (
	stateWaiting int32 = iota
	stateSent
	stateCancelled
)

// Admit implements deploy.Store.
func (s *Store) Admit() error {
	if s.waiting.Full() {
		return s.overloaded()
	}
	return nil
}

// overloaded logs that a delivery is refused, unless others were refused just before.
func (s *Store) overloaded() error {
	s.overload.Begin(core.ErrOverloaded)
	return s.overload.Fail()
}

// Accept implements deploy.Store.
func (s *Store) Accept(ctx context.Context, a deploy.Acceptance) (core.Change, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.CallTimeout)
	defer cancel()
	e := a.Entry
	d, size, err := s.newDelivery(ctx, a)
	if err != nil {
		return core.Change{}, false, wrap("accept", e.ID, err)
	}
	fields, err := s.submit(ctx, d, size)
	if err != nil {
		return core.Change{}, false, wrap("accept", e.ID, err)
	}
	c, repeat, err := fields.accepted(e)
	s.sawOrder(c.Entry.Order)
	s.written(e.User)
	return c, repeat, wrap("accept", e.ID, errors.Join(err, fields.r.err))
}

// accepted parses the result of the script for a delivery of e.
func (l list) accepted(e core.Entry) (c core.Change, repeat bool, err error) {
	switch l.at(0).text() {
	case "accepted":
		c.Seq, err = core.ParseSeq(l.at(1).text())
		c.Entry = e.Clone()
		c.Entry.Revision++
		c.Entry.Order = l.at(2).number()
		return c, false, err
	case "late":
		return core.Change{}, false, errLate
	}
	c, err = l.at(1).list().stored()
	return c, l.at(0).text() == "repeat", err
}

func (s *Store) newDelivery(ctx context.Context, a deploy.Acceptance) (d *delivery, size int, err error) {
	e := a.Entry
	doc, err := s.packer.encode(e)
	if err != nil {
		return nil, 0, err
	}
	payload, err := s.packer.pack(a.Payload)
	if err != nil {
		return nil, 0, err
	}
	args := []any{
		e.ID, e.User, a.Key, doc, payload, e.Attempts, updated(e), micros(e.CreatedAt),
		flag(!e.Status.Outcome()), e.App, e.Repository.Key(),
	}
	if p := a.Place; p == nil {
		args = append(args, "0", "", 0, 0)
	} else {
		args = append(args, "1", p.Lane, micros(p.PushedAt), micros(p.At))
	}
	count := len(args)
	args = append(args, 0)
	if a.Place != nil {
		for _, commit := range append([]string{e.Commit.ID}, e.Commits...) {
			if commit != "" {
				args = append(args, commit)
			}
		}
	}
	args[count] = len(args) - count - 1
	ends, _ := ctx.Deadline()
	return &delivery{args: args, ends: ends, answer: make(chan answer, 1)}, len(doc) + len(payload), nil
}

// submit queues a delivery and waits for the answer.
func (s *Store) submit(ctx context.Context, d *delivery, size int) (list, error) {
	if err := ctx.Err(); err != nil {
		return list{}, err
	}
	if err := s.waiting.AddBounded(d, size); errors.Is(err, core.ErrOverloaded) {
		return list{}, s.overloaded()
	} else if err != nil {
		return list{}, errNotStarted
	}
	select {
	case got := <-d.answer:
		return got.fields, got.err
	case <-ctx.Done():
		d.state.CompareAndSwap(stateWaiting, stateCancelled)
		// If it was sent already, its deadline has passed for the script.
		return list{}, ctx.Err()
	}
}

// sender sends waiting deliveries until ctx ends.
func (s *Store) sender(ctx context.Context) {
	for s.waiting.Wait(ctx) == nil {
		batch := make([]*delivery, 0, maxBatch)
		for _, d := range s.waiting.Take(maxBatch, maxBatchBytes) {
			if d.state.CompareAndSwap(stateWaiting, stateSent) {
				batch = append(batch, d)
			}
		}
		if len(batch) > 0 {
			s.sending.Add(1)
			s.sendBatch(ctx, batch)
			s.sending.Add(-1)
		}
		s.overload.EndAfter(overloadEnds)
	}
}

// overloadEnds is the time without refusals after which an overload has ended.
const overloadEnds = 5 * time.Second

// sendBatch calls the script and distributes its answers.
func (s *Store) sendBatch(ctx context.Context, batch []*delivery) {
	args := make([]any, 0, 3+24*len(batch))
	args = append(args, s.highest.Load(), s.o.KeepKeys.Milliseconds(), s.o.KeepPayloads.Milliseconds())
	for _, d := range batch {
		args = append(append(args, s.theirs.at(d.ends)), d.args...)
	}
	r, err := s.call(ctx, "accept", args...)
	if err == nil && len(r.list().values) != len(batch) {
		err = errors.Join(r.err, errAnswers)
	}
	if err != nil {
		for _, d := range batch {
			d.answer <- answer{err: err}
		}
		return
	}
	var late []*delivery
	for i, d := range batch {
		fields := list{&reply{packer: s.packer}, r.list().at(i).list().values}
		if fields.at(0).text() == "late" && !d.retried && time.Now().Before(d.ends) {
			d.retried = true
			late = append(late, d)
			continue
		}
		d.answer <- answer{fields: fields}
	}
	if len(late) == 0 {
		return
	}
	// By the local clock it has not passed: the clock of Redis was set, or another
	// server has become the master.
	if _, err := s.counted(ctx); err != nil {
		for _, d := range late {
			d.answer <- answer{err: err}
		}
		return
	}
	s.sendBatch(ctx, late)
}

var (
	errAnswers = errors.New("redis: wrong number of answers for the deliveries")
	errLate    = errors.New("redis: the deadline of the call had passed")
)

// sawOrder records an Order that the store assigned: every new one is higher, even if
// a failover lost the entry.
func (s *Store) sawOrder(order int64) {
	for highest := s.highest.Load(); highest < order && !s.highest.CompareAndSwap(highest, order); {
		highest = s.highest.Load()
	}
}
