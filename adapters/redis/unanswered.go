package redis

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"
)

// unanswered keeps the nonces of calls whose answer did not come, so that the
// same call, when its caller makes it again, finds what it did the first time.
type unanswered struct {
	mu     sync.Mutex
	nonces map[[sha256.Size]byte][]string
}

// mostUnanswered is how many calls are remembered. A call that is forgotten is
// a new one to Redis: a claim waits for its lease, a save is a conflict.
const mostUnanswered = 1000

// nonce returns the one of an earlier call that asked for the same and got no
// answer, else a new one.
func (u *unanswered) nonce(call string, args ...any) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.nonces) == 0 {
		return rand.Text()
	}
	key := digest(call, args)
	kept := u.nonces[key]
	if len(kept) == 0 {
		return rand.Text()
	}
	if len(kept) == 1 {
		delete(u.nonces, key)
	} else {
		u.nonces[key] = kept[1:]
	}
	return kept[0]
}

// keep remembers a call that got no answer.
func (u *unanswered) keep(nonce, call string, args ...any) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.nonces == nil || len(u.nonces) >= mostUnanswered {
		u.nonces = map[[sha256.Size]byte][]string{}
	}
	key := digest(call, args)
	u.nonces[key] = append(u.nonces[key], nonce)
}

func digest(call string, args []any) [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%s %q", call, args))
}
