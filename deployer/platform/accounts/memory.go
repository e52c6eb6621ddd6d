package accounts

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

const (
	rememberFor = 5 * time.Minute
	maxUsers    = 10_000 // that are remembered
	maxVerified = 32     // credentials of a user that are remembered
)

// memory remembers who was authenticated lately, and the third-party tokens of
// users, so that neither a database nor a hash is needed for each delivery. A
// change of a user has it forget that user.
type memory struct {
	secret []byte // HMAC key of the credentials in the cache

	mu      sync.Mutex
	changes uint64 // of any user
	users   map[string]*remembered
}

type remembered struct {
	verified map[[sha256.Size]byte]verified
	tokens   []core.ThirdPartyToken // nil: not read yet; not to be changed
}

type verified struct {
	who   Identity
	until time.Time
}

func newMemory() *memory {
	return &memory{secret: []byte(rand.Text()), users: map[string]*remembered{}}
}

// begin returns what keeping something takes that is read from now on: after a
// change it may be old.
func (m *memory) begin() (changes uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changes
}

// recall returns who these credentials were found to be.
func (m *memory) recall(c core.Credentials, now time.Time) (who Identity, ok bool) {
	mac := m.mac(c)
	m.mu.Lock()
	defer m.mu.Unlock()
	user := m.users[c.Username]
	if user == nil {
		return Identity{}, false
	}
	v, ok := user.verified[mac]
	if !ok || !now.Before(v.until) {
		delete(user.verified, mac)
		return Identity{}, false
	}
	return v.who, true
}

// keep caches the identity of verified credentials.
func (m *memory) keep(changes uint64, c core.Credentials, who Identity, until time.Time) {
	mac := m.mac(c)
	m.mu.Lock()
	defer m.mu.Unlock()
	if changes != m.changes {
		return
	}
	user := m.user(c.Username)
	if len(user.verified) >= maxVerified {
		clear(user.verified)
	}
	user.verified[mac] = verified{who, until}
}

// recallTokens returns a user's cached third-party tokens, or nil if they are
// not cached. The caller must not change the slice.
func (m *memory) recallTokens(name string) []core.ThirdPartyToken {
	m.mu.Lock()
	defer m.mu.Unlock()
	if user := m.users[name]; user != nil {
		return user.tokens
	}
	return nil
}

// keepTokens caches a user's third-party tokens.
func (m *memory) keepTokens(changes uint64, name string, tokens []core.ThirdPartyToken) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if changes == m.changes {
		m.user(name).tokens = tokens
	}
}

// forget drops what is cached for a user.
func (m *memory) forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changes++
	delete(m.users, name)
}

// user returns what is cached for a user. The lock must be held.
func (m *memory) user(name string) *remembered {
	user := m.users[name]
	if user == nil {
		if len(m.users) >= maxUsers {
			clear(m.users)
		}
		user = &remembered{verified: map[[sha256.Size]byte]verified{}}
		m.users[name] = user
	}
	return user
}

func (m *memory) mac(c core.Credentials) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, m.secret)
	_, _ = h.Write([]byte(c.Username + "\x00" + c.Password.Reveal())) // never fails
	h.Sum(sum[:0])
	return sum
}
