package accounts

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
)

// tokenDocument is an API token as it is stored.
type tokenDocument struct {
	SHA256 string    `json:"sha256"` // of the token, hex
	Begin  string    `json:"begin"`
	CTime  time.Time `json:"ctime"`
}

const (
	maxTokens    = 100 // of a user, for each kind
	maxTokenName = 128
	shownOfToken = 4 // characters of a token that the list shows
)

// operation is a field of the response beside the token's name, so a token can't
// have that name.
const operation = "operation"

// Tokens returns the user's API tokens, masked, by name.
func (a *Accounts) Tokens(user string) (map[string]string, error) {
	tokens := map[string]string{}
	err := a.o.DB.View(func(tx *bbolt.Tx) error {
		if err := mustExist(tx, user); err != nil {
			return err
		}
		return each(tx, bucketTokens, user, func(name string, d tokenDocument) { tokens[name] = d.Begin + "…" })
	})
	return tokens, err
}

// CreateToken creates an API token, and replaces one of the same name. If name is
// empty, a free name is chosen. The token can't be read again.
func (a *Accounts) CreateToken(user, name string) (used string, token core.Secret, replaced bool, err error) {
	if name == "" {
		name = "token-" + strings.ToLower(rand.Text()[:10])
	}
	if !tokenName(name) || name == operation {
		return "", core.Secret{}, false, core.Errorf(core.CodePlatformInvalid, "Invalid token name %.100q: use letters, digits, space and ._@:-, at most %d", name, maxTokenName)
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails, or ends the process
	token = core.NewSecret(hex.EncodeToString(random[:]))
	sum := sha256.Sum256([]byte(token.Reveal()))
	d := tokenDocument{SHA256: hex.EncodeToString(sum[:]), Begin: token.Reveal()[:shownOfToken], CTime: a.o.Now().UTC()}
	err = a.update("creating a token", user, func(tx *bbolt.Tx) error {
		replaced, err = a.room(tx, bucketTokens, user, name)
		if err != nil {
			return err
		}
		return put(tx, bucketTokens, within(user, name), d)
	})
	if err != nil {
		return "", core.Secret{}, false, err
	}
	return name, token, replaced, nil
}

// DestroyToken removes an API token.
func (a *Accounts) DestroyToken(user, name string) error {
	return a.remove(bucketTokens, user, name, "API token")
}

// thirdPartyDocument is a third-party token as it is stored.
type thirdPartyDocument struct {
	Provider string        `json:"provider"`
	Forge    string        `json:"forge,omitempty"`
	App      string        `json:"app"`
	Login    string        `json:"login,omitempty"`
	Scopes   []string      `json:"scopes,omitempty"`
	Sealed   string        `json:"sealed"`
	Required bool          `json:"required,omitempty"`
	Target   *core.Target  `json:"target,omitempty"`
	Webhook  *core.Webhook `json:"webhook,omitempty"`
	CTime    time.Time     `json:"ctime"`
}

// sealedFor returns the purpose that a third-party token is sealed for.
func sealedFor(user, id string) string { return "third-party token of " + user + ": " + id }

// ThirdParty returns the user's third-party tokens by ID; the slice must not be
// changed. It fails if the key that sealed one of them is missing; that token is
// left unchanged.
func (a *Accounts) ThirdParty(user string) ([]core.ThirdPartyToken, error) {
	if tokens := a.memory.recallTokens(user); tokens != nil {
		return tokens, nil
	}
	changes := a.memory.begin()
	tokens := []core.ThirdPartyToken{}
	var faults []error
	err := a.o.DB.View(func(tx *bbolt.Tx) error {
		if err := mustExist(tx, user); err != nil {
			return err
		}
		return each(tx, bucketThirdParty, user, func(id string, d thirdPartyDocument) {
			token, err := a.o.Seal.Open(d.Sealed, sealedFor(user, id))
			if err != nil {
				faults = append(faults, fmt.Errorf("accounts: the third-party token %q of %s: %w", id, user, err))
				return
			}
			tokens = append(tokens, core.ThirdPartyToken{
				ID: id, Provider: d.Provider, Forge: d.Forge, App: d.App, Login: d.Login,
				Scopes: d.Scopes, Token: token, Required: d.Required, Target: d.Target, Webhook: d.Webhook,
			})
		})
	})
	if err := errors.Join(append(faults, err)...); err != nil {
		return tokens, err
	}
	a.memory.keepTokens(changes, user, tokens)
	return tokens, nil
}

// Reseal seals with the first key what another key had sealed, so that the other
// key can be removed. It returns the number of tokens that it resealed. Tokens
// that can't be opened are left unchanged, and the error lists them. It must be
// called before tokens are changed.
func (a *Accounts) Reseal() (resealed int, err error) {
	changed := map[string]thirdPartyDocument{}
	var faults []error
	err = a.o.DB.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(bucketThirdParty)).ForEach(func(key, text []byte) error {
			var d thirdPartyDocument
			if err := json.Unmarshal(text, &d); err != nil {
				return err
			}
			if a.o.Seal.Current(d.Sealed) {
				return nil
			}
			user, id, _ := strings.Cut(string(key), "\x00")
			token, err := a.o.Seal.Open(d.Sealed, sealedFor(user, id))
			if err != nil {
				faults = append(faults, fmt.Errorf("accounts: the third-party token %q of %s: %w", id, user, err))
				return nil
			}
			d.Sealed = a.o.Seal.Seal(token, sealedFor(user, id))
			changed[string(key)] = d
			return nil
		})
	})
	if err == nil && len(changed) > 0 {
		err = a.update("sealing with the new key", "", func(tx *bbolt.Tx) error {
			for key, d := range changed {
				if err := put(tx, bucketThirdParty, key, d); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return 0, errors.Join(append(faults, err)...)
	}
	return len(changed), errors.Join(faults...)
}

// SetThirdParty stores t, and replaces one with the same ID.
func (a *Accounts) SetThirdParty(user string, t core.ThirdPartyToken) error {
	if t.App == "" {
		t.App = core.AnyApp
	}
	if !tokenName(t.ID) || !tokenName(t.Provider) || t.Forge != "" && !tokenName(t.Forge) || t.App != core.AnyApp && !core.ValidName(t.App) {
		return core.Errorf(core.CodePlatformInvalid, "A third-party token needs an id and a provider of letters, digits, space and ._@:-, and a valid app name, or %q for all", core.AnyApp)
	}
	if t.Target != nil {
		if err := t.Target.Validate(); err != nil {
			return core.Errorf(core.CodePlatformInvalid, "The target of a third-party token is invalid: %v", err)
		}
	}
	if w := t.Webhook; w != nil && (len(w.Forge) > maxTokenName || len(w.Repository) > maxTokenName || len(w.ID) > maxTokenName) {
		return core.Errorf(core.CodePlatformInvalid, "The webhook of a third-party token is invalid: want a forge, a repository and an id within their limits")
	}
	if t.Token.IsZero() || len(t.Token.Reveal()) > 4<<10 || len(t.Login) > maxTokenName || len(t.Scopes) > 100 {
		return core.Errorf(core.CodePlatformInvalid, "A third-party token needs a token of at most 4 KiB, and a login and scopes within their limits")
	}
	d := thirdPartyDocument{
		Provider: t.Provider, Forge: t.Forge, App: t.App, Login: t.Login, Scopes: t.Scopes,
		Sealed: a.o.Seal.Seal(t.Token, sealedFor(user, t.ID)), Required: t.Required, Target: t.Target, Webhook: t.Webhook, CTime: a.o.Now().UTC(),
	}
	return a.update("storing a third-party token", user, func(tx *bbolt.Tx) error {
		if _, err := a.room(tx, bucketThirdParty, user, t.ID); err != nil {
			return err
		}
		return put(tx, bucketThirdParty, within(user, t.ID), d)
	})
}

// FixTarget sets the target of the third-party token with that ID, unless it is set,
// and returns the one that is set.
func (a *Accounts) FixTarget(user, id string, t core.Target) (core.Target, error) {
	if err := t.Validate(); err != nil {
		return core.Target{}, core.Errorf(core.CodePlatformInvalid, "The target of a third-party token is invalid: %v", err)
	}
	var fixed core.Target
	err := a.update("fixing the target of a third-party token", user, func(tx *bbolt.Tx) error {
		text := tx.Bucket([]byte(bucketThirdParty)).Get([]byte(within(user, id)))
		if text == nil {
			return core.Errorf(core.CodePlatformTokenNotFound, "There is no third-party token %.100q", id)
		}
		var d thirdPartyDocument
		if err := json.Unmarshal(text, &d); err != nil {
			return fmt.Errorf("the third-party token %q is damaged: %w", id, err)
		}
		if d.Target != nil {
			fixed = *d.Target
			return nil
		}
		fixed, d.Target = t, &t
		return put(tx, bucketThirdParty, within(user, id), d)
	})
	return fixed, err
}

// DestroyThirdParty removes the one with that ID.
func (a *Accounts) DestroyThirdParty(user, id string) error {
	return a.remove(bucketThirdParty, user, id, "third-party token")
}

// room reports whether the user has a token of that name. It fails if there is no
// such user, or if the user has the most tokens already.
func (a *Accounts) room(tx *bbolt.Tx, bucket, user, name string) (known bool, err error) {
	if err := mustExist(tx, user); err != nil {
		return false, err
	}
	count := 0
	err = each(tx, bucket, user, func(other string, _ json.RawMessage) {
		count++
		known = known || other == name
	})
	if err == nil && !known && count >= maxTokens {
		err = core.Errorf(core.CodePlatformTokenConflict, "There are %d tokens already; remove one first", maxTokens)
	}
	return known, err
}

func (a *Accounts) remove(bucket, user, name, what string) error {
	return a.update("removing a token", user, func(tx *bbolt.Tx) error {
		b, key := tx.Bucket([]byte(bucket)), []byte(within(user, name))
		if b.Get(key) == nil {
			return core.Errorf(core.CodePlatformTokenNotFound, "There is no %s %.100q", what, name)
		}
		return b.Delete(key)
	})
}

func within(user, name string) string { return user + "\x00" + name }

// each calls yield for each of a user's values in a bucket.
func each[T any](tx *bbolt.Tx, bucket, user string, yield func(name string, value T)) error {
	prefix := []byte(within(user, ""))
	c := tx.Bucket([]byte(bucket)).Cursor()
	for key, text := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, text = c.Next() {
		var value T
		if err := json.Unmarshal(text, &value); err != nil {
			return fmt.Errorf("accounts: one of %s is damaged: %w", bucket, err)
		}
		yield(string(key[len(prefix):]), value)
	}
	return nil
}

// removeAll removes all that a user has in a bucket.
func removeAll(tx *bbolt.Tx, bucket, user string) error {
	var names []string
	if err := each(tx, bucket, user, func(name string, _ json.RawMessage) { names = append(names, name) }); err != nil {
		return err
	}
	for _, name := range names {
		if err := tx.Bucket([]byte(bucket)).Delete([]byte(within(user, name))); err != nil {
			return err
		}
	}
	return nil
}

func tokenName(s string) bool {
	if s == "" || len(s) > maxTokenName || s == "." || s == ".." {
		return false
	}
	for _, c := range []byte(s) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && !strings.ContainsRune(" ._@:-", rune(c)) {
			return false
		}
	}
	return true
}
