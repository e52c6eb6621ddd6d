package redis

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"
)

// unanswered stores the nonces of calls without an answer, so that the same call,
// when its caller repeats it, finds the result of the first one.
type unanswered struct {
	mu     sync.Mutex
	nonces map[[sha256.Size]byte][]string
}

// mostUnanswered is the number of calls that are stored. Others are new calls to
// Redis when they are repeated: a claim waits for its lease, a save is a conflict.
const mostUnanswered = 1000

// nonce returns the nonce of an earlier identical call without an answer, or a new
// one.
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

// keep stores a call without an answer.
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
