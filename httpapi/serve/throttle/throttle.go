// Package throttle slows down clients that guess credentials.
//
//	err := logins.Do(ctx, throttle.Attempt{Address: address, User: user, Secret: password}, func() (throttle.Outcome, error) {
//		err := authenticate(user, password)
//		…
//	})
//	if wait, ok := errors.AsType[*throttle.WaitError](err); ok {
//		// 429, Retry-After: wait.After
//	}
//
// Attempts are counted for each pair of an address and a user: after some that
// were wrong, the pair has to wait, twice as long each time. An address that
// guesses at many users, and a user at whom many addresses guess, also have a
// budget of wrong attempts, which refills with time.
//
// The attempts of others lock no user out. The address's budget does not
// apply to a pair that was right recently, as many users have their webhooks
// sent from the few addresses of GitHub; the user's budget does not apply to a
// pair that was never wrong. Through GitHub anybody may send a guess at any
// user, so credentials that were right recently and are too long to be guessed,
// as API tokens are, never wait: no number of attempts finds them.
//
// Who was right recently can be saved, so that this holds after a restart too.
package throttle

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// Options are what [New] takes; each has a default.
type Options struct {
	Free     int           // wrong attempts of a pair that cost nothing; 10
	MinPause time.Duration // the first pause of a pair; 1 min
	MaxPause time.Duration // its longest pause; 15 min
	Budget   int           // wrong attempts from an address, and at a user; 100
	Refill   time.Duration // after which the budget has one more; 6 s
	Memory   int           // pairs, addresses and users that are remembered; 100,000
	Now      func() time.Time
}

// Throttle may be used concurrently. Its memory is bounded.
type Throttle struct {
	o Options

	mu        sync.Mutex
	namer     namer
	pairs     memory[pair]
	addresses memory[budget]
	users     memory[budget]
	right     memory[time.Time] // when credentials too long to be guessed were right last
	changed   bool              // what is saved, since it was
}

// unguessable is the length in bytes from which on a password can't be guessed.
const unguessable = 32

// pair is what is known of an address and a user.
type pair struct {
	wrong  int           // attempts, since it was right
	open   int           // attempts whose outcome is not known yet
	ended  chan struct{} // closed when one of them ends; nil if there are no waiters
	last   time.Time     // when it was wrong
	until  time.Time     // no attempt before
	passed time.Time     // when it was right last; zero: never
}

// budget counts wrong attempts that are not refilled yet.
type budget struct {
	spent float64
	at    time.Time
}

// An Attempt is what a client sends to authenticate.
type Attempt struct {
	Address string // an IP address; of IPv6 the network /64 counts
	User    string
	Secret  string // a password or a token
}

// Outcome is how an attempt ended.
type Outcome int

// The outcomes of an attempt.
const (
	Unknown Outcome = iota // the credentials were not verified
	Right
	Wrong
)

// forgetAfter is how long a wrong attempt counts, and a right one.
const forgetAfter = 24 * time.Hour

// WaitError says that an attempt was not made.
type WaitError struct {
	After time.Duration // how long to wait
}

// Error returns the sentence for a client.
func (e *WaitError) Error() string {
	return fmt.Sprintf("too many wrong credentials: try again in %s", e.After)
}

// New returns a Throttle without any recorded attempts.
func New(o Options) *Throttle {
	o.Free = cmp.Or(o.Free, 10)
	o.MinPause = cmp.Or(o.MinPause, time.Minute)
	o.MaxPause = cmp.Or(o.MaxPause, 15*time.Minute)
	o.Budget = cmp.Or(o.Budget, 100)
	o.Refill = cmp.Or(o.Refill, 6*time.Second)
	o.Memory = cmp.Or(o.Memory, 100_000)
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Throttle{
		o: o, namer: newNamer(), right: newMemory[time.Time](o.Memory), pairs: newMemory[pair](o.Memory),
		addresses: newMemory[budget](o.Memory), users: newMemory[budget](o.Memory),
	}
}

// Do calls authenticate and returns its error, or it returns a [*WaitError] at
// once because of previous attempts. Of so many concurrent attempts that they
// could be too many if all are wrong, some wait until others have ended, one is
// right or ctx ends.
func (t *Throttle) Do(ctx context.Context, a Attempt, authenticate func() (Outcome, error)) error {
	done, wait := t.begin(ctx, a)
	if wait > 0 {
		return &WaitError{wait}
	}
	outcome := Unknown
	defer func() { done(outcome) }()
	var err error
	outcome, err = authenticate()
	return err
}

// begin asks whether an attempt may be made. If wait is 0 it may, and done must
// be called with its outcome.
func (t *Throttle) begin(ctx context.Context, a Attempt) (done func(Outcome), wait time.Duration) {
	names := t.names(a)
	for {
		done, wait, ended := t.try(names)
		if ended == nil {
			return done, wait
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return nil, time.Second
		}
	}
}

// names are what an attempt is remembered by.
type names struct {
	pair, address, user name
	credentials         name // only if they are unguessable
	unguessable         bool
}

func (t *Throttle) names(a Attempt) names {
	t.mu.Lock()
	namer := t.namer
	t.mu.Unlock()
	address := network(a.Address)
	n := names{pair: namer.name(address, a.User), address: namer.name(address), user: namer.name(a.User)}
	if len(a.Secret) >= unguessable {
		n.credentials, n.unguessable = namer.name(a.User, a.Secret), true
	}
	return n
}

func (t *Throttle) try(n names) (done func(Outcome), wait time.Duration, ended <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.o.Now()
	p := t.pairs.find(n.pair)
	if p == nil {
		p = &pair{} // remembered only if it may try
	}
	if now.Sub(p.last) > forgetAfter {
		p.wrong = 0
	}
	switch known := recent(p.passed, now); {
	case t.wasRight(n, now):
	case now.Before(p.until):
		return nil, p.until.Sub(now), nil
	case known && p.wrong == 0:
	case p.open > 0 && p.wrong+p.open >= t.o.Free:
		if p.ended == nil {
			p.ended = make(chan struct{})
		}
		return nil, 0, p.ended
	case known:
	case t.left(t.addresses.get(n.address), now) < 1:
		return nil, t.o.Refill, nil
	case p.wrong > 0 && t.left(t.users.get(n.user), now) < 1:
		return nil, t.o.Refill, nil
	}
	p = t.pairs.get(n.pair)
	p.open++
	return func(o Outcome) { t.end(p, n, o) }, 0, nil
}

// wasRight reports whether exactly these credentials were right recently. It is
// always false for credentials that can be guessed.
func (t *Throttle) wasRight(n names, now time.Time) bool {
	if !n.unguessable {
		return false
	}
	at := t.right.find(n.credentials)
	return at != nil && recent(*at, now)
}

func recent(at, now time.Time) bool { return !at.IsZero() && now.Sub(at) < forgetAfter }

func (t *Throttle) end(p *pair, n names, o Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.o.Now()
	p.open--
	if p.ended != nil {
		close(p.ended)
		p.ended = nil
	}
	switch o {
	case Right:
		t.noteChange(p.passed, now)
		p.wrong, p.until, p.passed = 0, time.Time{}, now
		if n.unguessable {
			at := t.right.get(n.credentials)
			t.noteChange(*at, now)
			*at = now
		}
	case Wrong:
		p.wrong++
		p.last = now
		if over := p.wrong - t.o.Free; over >= 0 {
			p.until = now.Add(min(t.o.MinPause<<min(over, 16), t.o.MaxPause))
		}
		t.spend(t.addresses.get(n.address), now)
		t.spend(t.users.get(n.user), now)
		if n.unguessable && t.right.find(n.credentials) != nil {
			t.right.forget(n.credentials)
			t.changed = true
		}
	case Unknown:
	}
}

// left returns how many wrong attempts a budget has.
func (t *Throttle) left(b *budget, now time.Time) float64 {
	b.spent = max(b.spent-float64(now.Sub(b.at))/float64(t.o.Refill), 0)
	b.at = now
	return float64(t.o.Budget) - b.spent
}

func (t *Throttle) spend(b *budget, now time.Time) {
	t.left(b, now)
	b.spent++
}

// network returns what counts as one address.
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
