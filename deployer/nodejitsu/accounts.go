package nodejitsu

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// rememberFor is how long the platform's responses about accounts are cached.
const rememberFor = 5 * time.Second

// Authenticate implements deploy.Accounts and auth.Accounts. It calls the platform
// with the credentials themselves; [core.ServiceUser] is not an account.
func (p *Platform) Authenticate(ctx context.Context, c core.Credentials) (core.Account, error) {
	if !core.ValidName(c.Username) || c.Password.Reveal() == "" {
		return core.Account{}, fmt.Errorf("nodejitsu: authenticate: invalid username, or no password: %w", core.ErrUnauthorized)
	}
	mac := p.mac(c)
	if account, ok := p.accounts.get(mac); ok {
		return account, nil
	}
	account, err := p.client.Auth(ctx, c)
	if err != nil {
		return core.Account{}, err
	}
	p.accounts.set(mac, account)
	return account, nil
}

// Tokens implements deploy.Accounts and auth.Accounts.
func (p *Platform) Tokens(ctx context.Context, user string, fresh bool) ([]core.ThirdPartyToken, error) {
	if tokens, ok := p.tokens.get(user); ok && !fresh {
		return tokens, nil
	}
	tokens, err := p.client.ThirdPartyTokens(ctx, user)
	if err != nil {
		return nil, err
	}
	p.tokens.set(user, tokens)
	return tokens, nil
}

// Users implements connect.Accounts.
func (p *Platform) Users(ctx context.Context) ([]string, error) {
	users, err := p.client.Users(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(users))
	for i, u := range users {
		names[i] = u.Username
	}
	return names, nil
}

// FixTarget implements deploy.Accounts. Two first deliveries at the same time may
// both succeed; the one that is written last counts from then on.
func (p *Platform) FixTarget(ctx context.Context, user, id string, t core.Target) (core.Target, error) {
	tokens, err := p.Tokens(ctx, user, true)
	if err != nil {
		return core.Target{}, err
	}
	for _, token := range tokens {
		if token.ID != id {
			continue
		}
		if token.Target != nil {
			return *token.Target, nil
		}
		token.Target = &t
		return t, p.SetToken(ctx, user, token)
	}
	return core.Target{}, fmt.Errorf("nodejitsu: fix the target of a webhook secret: %w", core.ErrNotFound)
}

// SetToken implements auth.Accounts.
func (p *Platform) SetToken(ctx context.Context, user string, t core.ThirdPartyToken) error {
	defer p.tokens.delete(user)
	return p.client.SetThirdPartyToken(ctx, user, t)
}

// RemoveToken implements auth.Accounts.
func (p *Platform) RemoveToken(ctx context.Context, user, id string) error {
	defer p.tokens.delete(user)
	return p.client.DestroyThirdPartyToken(ctx, user, id)
}

// APITokens implements auth.Accounts.
func (p *Platform) APITokens(ctx context.Context, user string) ([]string, error) {
	tokens, err := p.client.Tokens(ctx, user)
	var names []string
	for _, t := range tokens {
		names = append(names, t.Name)
	}
	return names, err
}

// CreateAPIToken implements auth.Accounts.
func (p *Platform) CreateAPIToken(ctx context.Context, user, name string) (core.Secret, error) {
	return p.client.CreateToken(ctx, user, name)
}

// RemoveAPIToken implements auth.Accounts.
func (p *Platform) RemoveAPIToken(ctx context.Context, user, name string) error {
	return p.client.DestroyToken(ctx, user, name)
}

// UpdateUser implements auth.Accounts.
func (p *Platform) UpdateUser(ctx context.Context, user string, password core.Secret, email string) error {
	return p.client.UpdateUser(ctx, User{Username: user, Password: password, Email: email})
}

// mac returns the cache key of credentials.
func (p *Platform) mac(c core.Credentials) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, p.secret)
	_, _ = h.Write([]byte(c.Username + "\x00" + c.Password.Reveal())) // never fails
	h.Sum(sum[:0])
	return sum
}

// recent is a cache whose entries expire.
type recent[K comparable, V any] struct {
	mu    sync.Mutex
	young map[K]learned[V]
}

type learned[V any] struct {
	value V
	until time.Time
}

// maxRecent limits the number of cached entries.
const maxRecent = 10_000

func (r *recent[K, V]) get(key K) (value V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, ok := r.young[key]
	if !ok || !time.Now().Before(found.until) {
		return value, false
	}
	return found.value, true
}

func (r *recent[K, V]) set(key K, value V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.young == nil || len(r.young) >= maxRecent {
		r.young = map[K]learned[V]{}
	}
	r.young[key] = learned[V]{value, time.Now().Add(rememberFor)}
}

func (r *recent[K, V]) delete(key K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.young, key)
}
