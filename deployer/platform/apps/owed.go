package apps

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/deployer/platform/problem"
)

// What the home owes to other datacenters stands in the bucket owed: the key is
// the datacenter and user/app, the value anything that is new each time. It
// says that something changed, and not what: whoever pays looks at how the app
// is by then.

// owe writes down, in the step that changes an app, that the datacenters of
// some shares are to be told.
func (a *Apps) owe(tx *bbolt.Tx, d document, shares ...Cloud) error {
	bucket := tx.Bucket([]byte(bucketOwed))
	for _, share := range shares {
		if share.Datacenter == a.here() {
			continue
		}
		number, err := bucket.NextSequence()
		if err != nil {
			return err
		}
		if err := bucket.Put(owedKey(share.Datacenter, d.User, d.Name), strconv.AppendUint(nil, number, 10)); err != nil {
			return err
		}
	}
	return nil
}

func owedKey(datacenter, user, app string) []byte { return []byte(datacenter + " " + key(user, app)) }

// payWithin bounds what a datacenter that doesn't answer costs the others.
const payWithin = 30 * time.Second

// pay tells a datacenter how an app is now. Where it can't be reached, that
// stays owed.
func (a *Apps) pay(ctx context.Context, datacenter, user, app string) {
	ctx, cancel := context.WithTimeout(ctx, payWithin)
	defer cancel()
	var owed []byte
	err := a.o.DB.View(func(tx *bbolt.Tx) error {
		owed = bytes.Clone(tx.Bucket([]byte(bucketOwed)).Get(owedKey(datacenter, user, app)))
		return nil
	})
	if owed == nil && err == nil {
		return // somebody else paid
	}
	if err == nil {
		err = a.tellThere(ctx, datacenter, user, app)
	}
	if err == nil {
		err = a.o.DB.Update(func(tx *bbolt.Tx) error {
			bucket := tx.Bucket([]byte(bucketOwed))
			if !bytes.Equal(bucket.Get(owedKey(datacenter, user, app)), owed) {
				return nil // it changed meanwhile
			}
			return bucket.Delete(owedKey(datacenter, user, app))
		})
	}
	if err != nil {
		a.o.Logger.WarnContext(ctx, "datacenter not told", "datacenter", datacenter, "user", user, "app", app, "error", err)
	}
}

func (a *Apps) tellThere(ctx context.Context, datacenter, user, app string) error {
	d, err := a.find(user, app)
	if share, lives := d.share(datacenter); err == nil && lives {
		return a.keep(ctx, user, app, share)
	}
	if err != nil && !problem.Is(err, problem.NotFound) {
		return err
	}
	return a.o.Datacenters.Destroy(ctx, datacenter, user, app)
}

// keep has another datacenter keep a copy of the app as it is by now: one at a
// time, so that no older one comes last.
func (a *Apps) keep(ctx context.Context, user, app string, share Cloud) error {
	release, err := take(ctx, a.locksOf(user, app).copy)
	if err != nil {
		return err
	}
	defer release()
	d, err := a.find(user, app)
	if err != nil {
		return err
	}
	return a.o.Datacenters.Keep(ctx, share.Datacenter, d.copied(share))
}

// payAll pays all that an app's change owes.
func (a *Apps) payAll(ctx context.Context, d document) {
	for _, share := range a.elsewhere(d) {
		a.pay(ctx, share.Datacenter, d.User, d.Name)
	}
}

// PayDebts tells other datacenters what they could not be told when it
// happened. What is owed to one that is in the configuration no longer is
// forgotten. It is to be called now and then.
func (a *Apps) PayDebts(ctx context.Context) error {
	var keys []string
	err := a.o.DB.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket([]byte(bucketOwed))
		var gone [][]byte
		err := bucket.ForEach(func(k, _ []byte) error {
			if datacenter, _, _ := strings.Cut(string(k), " "); a.o.Datacenters.Known(datacenter) {
				keys = append(keys, string(k))
			} else {
				gone = append(gone, k)
			}
			return nil
		})
		for _, k := range gone {
			if err := bucket.Delete(k); err != nil {
				return err
			}
		}
		return err
	})
	for _, k := range keys {
		datacenter, rest, _ := strings.Cut(k, " ")
		user, app, _ := strings.Cut(rest, "/")
		a.pay(ctx, datacenter, user, app)
	}
	return wrapped("looking at what is owed", err)
}
