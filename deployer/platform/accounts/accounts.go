package accounts

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/bucket"
	"github.com/nodejitsu/webhooks/deployer/platform/seal"
)

// Options are the settings of [New]. DB and Seal are required.
type Options struct {
	DB   *bbolt.DB
	Seal *seal.Keys // for the third-party tokens
	// ServiceUser may act for all users; its password is Key. If Key is empty,
	// no caller may.
	ServiceUser string
	Key         core.Secret
	// Remember is how long verified credentials are cached; default 5 minutes.
	Remember time.Duration
	Now      func() time.Time // default time.Now
}

// Accounts may be used concurrently.
type Accounts struct {
	o       Options
	key     [sha256.Size]byte // of Options.Key
	hashing chan struct{}     // a slot for each hash that is computed
	dummy   func() string     // the hash that unknown users are compared with
	memory  *memory
}

const (
	// hashers limits the cost of wrong passwords: each hash uses 19 MiB and
	// about 20 ms of a core.
	hashers = 2
	// hashWait is how long a caller waits for a slot before it is asked to retry
	// later.
	hashWait = 10 * time.Second
)

// The buckets.
const (
	bucketUsers      = "users"
	bucketTokens     = "tokens"
	bucketThirdParty = "thirdparty"
	bucketCodes      = "codes"
)

// New returns Accounts, and creates the buckets that are missing.
func New(o Options) (*Accounts, error) {
	if o.Remember <= 0 {
		o.Remember = rememberFor
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &Accounts{
		o: o, key: sha256.Sum256([]byte(o.Key.Reveal())), hashing: make(chan struct{}, hashers),
		dummy: sync.OnceValue(dummyHash), memory: newMemory(),
	}
	if err := bucket.Create(o.DB, bucketUsers, bucketTokens, bucketThirdParty, bucketCodes); err != nil {
		return nil, fmt.Errorf("accounts: preparing the buckets: %w", err)
	}
	return a, nil
}

// userDocument is a user as it is stored.
type userDocument struct {
	Username string    `json:"username"`
	Hash     string    `json:"hash"`
	Email    string    `json:"email,omitempty"`
	Admin    bool      `json:"admin,omitempty"`
	CTime    time.Time `json:"ctime"`
	MTime    time.Time `json:"mtime"`
}

// find returns the user's document; ok is false if there is none.
func (a *Accounts) find(user string) (d userDocument, ok bool, err error) {
	err = a.o.DB.View(func(tx *bbolt.Tx) error {
		ok, err = get(tx, bucketUsers, user, &d)
		return err
	})
	return d, ok, err
}

// get reads a value; ok is false if there is none.
func get(tx *bbolt.Tx, bucket, key string, value any) (ok bool, err error) {
	text := tx.Bucket([]byte(bucket)).Get([]byte(key))
	if text == nil {
		return false, nil
	}
	if err := json.Unmarshal(text, value); err != nil {
		return false, fmt.Errorf("accounts: %s %q is damaged: %w", bucket, key, err)
	}
	return true, nil
}

func put(tx *bbolt.Tx, bucket, key string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return tx.Bucket([]byte(bucket)).Put([]byte(key), text)
}

// update runs change in a transaction that is durable when update returns.
// Refusals are returned unwrapped.
func (a *Accounts) update(doing, user string, change func(*bbolt.Tx) error) error {
	defer a.memory.forget(user)
	err := a.o.DB.Update(change)
	if _, refused := errors.AsType[*core.Error](err); err == nil || refused {
		return err
	}
	return fmt.Errorf("accounts: %s: %w", doing, err)
}

// mustExist fails if there is no such user.
func mustExist(tx *bbolt.Tx, user string) error {
	if tx.Bucket([]byte(bucketUsers)).Get([]byte(user)) == nil {
		return noUser(user)
	}
	return nil
}

func noUser(user string) error {
	return core.Errorf(core.CodePlatformUserNotFound, "There is no user %q", user)
}

// acquire waits for a hashing slot.
func (a *Accounts) acquire(ctx context.Context) (release func(), err error) {
	limit := time.NewTimer(hashWait)
	defer limit.Stop()
	select {
	case a.hashing <- struct{}{}:
		return func() { <-a.hashing }, nil
	case <-limit.C:
		return nil, core.Errorf(core.CodePlatformBusy, "Too many passwords are being checked now; try again in a few seconds")
	case <-ctx.Done():
		return nil, fmt.Errorf("accounts: waiting to hash a password: %w", ctx.Err())
	}
}
