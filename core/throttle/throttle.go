// Package throttle slows down who guesses credentials.
//
// Tries are counted for each pair of an address and a user: after some that
// were wrong the pair has to wait, twice as long each time. An address that
// guesses at many users, and a user at whom many addresses guess, have a budget
// of wrong tries besides, which fills again with time. Nobody is locked out by
// the tries of others: a pair that was right lately is not asked for the
// address's budget, as many users have their webhooks sent from GitHub's few
// addresses, and one that was never wrong is not asked for the user's. From
// these anyone may have a guess sent, at whatever user, so credentials that were
// right lately and are too long to be guessed, as API tokens are, never wait:
// no number of tries finds them.
package throttle

import (
	"cmp"
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Options are what [New] takes; each has a default.
type Options struct {
	Free    int           // wrong tries of a pair that cost nothing; 10
	First   time.Duration // the pair's first pause; 1 min
	Longest time.Duration // its longest; 15 min
	Budget  int           // wrong tries of an address, and at a user; 100
	Refill  time.Duration // after which one of these is there again; 6 s
	Memory  int           // pairs, addresses and users that are remembered; 100,000
	Now     func() time.Time
}

// Throttle may be used concurrently. Its memory is bounded.
type Throttle struct {
	o     Options
	names names

	mu        sync.Mutex
	pairs     memory[pair]
	addresses memory[budget]
	users     memory[budget]
	right     memory[time.Time] // when credentials that nobody guesses were right last
}

// unguessable is from how many bytes on a password is no person's choice that
// somebody may try to guess.
const unguessable = 32

// pair is what is known of an address and a user.
type pair struct {
	wrong  int           // since it was right, or forgotten
	open   int           // tries at work
	judged chan struct{} // closed when one of them has ended; nil where nobody waits
	last   time.Time
	until  time.Time // no try before
	passed time.Time // when it was right last; zero: never
}

// budget is a number of wrong tries that are left.
type budget struct {
	spent float64
	at    time.Time
}

// Outcome is how a try ended.
type Outcome int

// The outcomes of a try.
const (
	Unknown Outcome = iota // nobody judged it
	Right
	Wrong
)

// forgetAfter is how long a wrong try counts, and a right one.
const forgetAfter = 24 * time.Hour

// New returns a Throttle that knows nobody.
func New(o Options) *Throttle {
	o.Free = cmp.Or(o.Free, 10)
	o.First = cmp.Or(o.First, time.Minute)
	o.Longest = cmp.Or(o.Longest, 15*time.Minute)
	o.Budget = cmp.Or(o.Budget, 100)
	o.Refill = cmp.Or(o.Refill, 6*time.Second)
	o.Memory = cmp.Or(o.Memory, 100_000)
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Throttle{
		o: o, names: newNames(), right: newMemory[time.Time](o.Memory), pairs: newMemory[pair](o.Memory), addresses: newMemory[budget](o.Memory), users: newMemory[budget](o.Memory),
	}
}

// Try asks whether somebody at an address (of IP; of version 6 the network
// /64 counts) may try these credentials now. Where wait is 0 it may, and done
// must be called with how that ended; else it may after wait. So many tries at
// once that they could not all be wrong are let in one after the other, until
// one is right or ctx ends.
func (t *Throttle) Try(ctx context.Context, address string, given core.Credentials) (done func(Outcome), wait time.Duration) {
	address = network(address)
	who := try{
		pair: t.names.of(address, given.Username), address: t.names.of(address), user: t.names.of(given.Username),
	}
	if password := given.Password.Reveal(); len(password) >= unguessable {
		who.credentials, who.unguessable = t.names.of(given.Username, password), true
	}
	for {
		done, wait, judged := t.try(who)
		if judged == nil {
			return done, wait
		}
		select {
		case <-judged:
		case <-ctx.Done():
			return nil, time.Second
		}
	}
}

// try is who tries what.
type try struct {
	pair, address, user name
	credentials         name // only where they are unguessable
	unguessable         bool
}

func (t *Throttle) try(who try) (done func(Outcome), wait time.Duration, judged <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.o.Now()
	p := t.pairs.find(who.pair)
	if p == nil {
		p = &pair{} // remembered only if it is let in
	}
	if now.Sub(p.last) > forgetAfter {
		p.wrong = 0
	}
	switch known := !p.passed.IsZero() && now.Sub(p.passed) < forgetAfter; {
	case t.wasRight(who, now):
	case now.Before(p.until):
		return nil, p.until.Sub(now), nil
	case known && p.wrong == 0:
	case p.open > 0 && p.wrong+p.open >= t.o.Free:
		if p.judged == nil {
			p.judged = make(chan struct{})
		}
		return nil, 0, p.judged
	case known:
	case t.left(t.addresses.of(who.address), now) < 1:
		return nil, t.o.Refill, nil
	case p.wrong > 0 && t.left(t.users.of(who.user), now) < 1:
		return nil, t.o.Refill, nil
	}
	p = t.pairs.of(who.pair)
	p.open++
	return func(o Outcome) { t.end(p, who, o) }, 0, nil
}

// wasRight tells whether these very credentials, which nobody guesses, were
// right lately.
func (t *Throttle) wasRight(who try, now time.Time) bool {
	if !who.unguessable {
		return false
	}
	at := t.right.find(who.credentials)
	return at != nil && now.Sub(*at) < forgetAfter
}

func (t *Throttle) end(p *pair, who try, o Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.o.Now()
	p.open--
	if p.judged != nil {
		close(p.judged)
		p.judged = nil
	}
	switch o {
	case Right:
		p.wrong, p.until, p.passed = 0, time.Time{}, now
		if who.unguessable {
			*t.right.of(who.credentials) = now
		}
	case Wrong:
		p.wrong++
		p.last = now
		if over := p.wrong - t.o.Free; over >= 0 {
			p.until = now.Add(min(t.o.First<<min(over, 16), t.o.Longest))
		}
		t.spend(t.addresses.of(who.address), now)
		t.spend(t.users.of(who.user), now)
		if who.unguessable {
			t.right.forget(who.credentials)
		}
	case Unknown:
	}
}

// left returns how many wrong tries a budget has.
func (t *Throttle) left(b *budget, now time.Time) float64 {
	b.spent = max(b.spent-float64(now.Sub(b.at))/float64(t.o.Refill), 0)
	b.at = now
	return float64(t.o.Budget) - b.spent
}

func (t *Throttle) spend(b *budget, now time.Time) {
	t.left(b, now)
	b.spent++
}

// network is what counts as one address.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if prefix, err := ip.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return ip.String()
}
