package apps

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/drones"
	"github.com/nodejitsu/webhooks/deployer/platform/snapshots"
)

// Options are what [New] takes. DB, Snapshots, Drones and URL are required.
type Options struct {
	DB        *bbolt.DB
	Snapshots *snapshots.Store
	Drones    *drones.Supervisor

	Domain string                        // subdomains are below it; default "localhost"
	URL    func(subdomain string) string // where the app of a subdomain answers

	Keep      int              // snapshots of an app; default 10
	MaxDrones int              // of an app; default 10
	Now       func() time.Time // default time.Now
	Logger    *slog.Logger     // default: discards
}

// Apps may be used concurrently.
type Apps struct {
	o     Options
	hosts atomic.Pointer[hostTable]

	mu    sync.Mutex
	locks map[string]*locks // by user/app
}

// locks are what one at a time may do with an app. Each channel has size 1 and
// holds what the one who is at it put in.
type locks struct {
	build chan struct{}
	run   chan struct{}
}

// The buckets.
const (
	bucketApps  = "apps"
	bucketHosts = "hosts"
)

// New returns Apps whose buckets are made where they are missing.
func New(o Options) (*Apps, error) {
	o.Domain = cmp.Or(o.Domain, "localhost")
	o.Keep = cmp.Or(o.Keep, 10)
	o.MaxDrones = cmp.Or(o.MaxDrones, 10)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a := &Apps{o: o, locks: map[string]*locks{}}
	err := o.DB.Update(func(tx *bbolt.Tx) error {
		for _, name := range []string{bucketApps, bucketHosts} {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		return a.publishHosts(tx)
	})
	if err != nil {
		return nil, fmt.Errorf("apps: preparing the buckets: %w", err)
	}
	return a, nil
}

func key(user, app string) string { return user + "/" + app }

// hold waits for one of the locks of an app that there is.
func (a *Apps) hold(ctx context.Context, user, app string, which func(*locks) chan struct{}) (release func(), err error) {
	if _, err := a.find(user, app); err != nil {
		return nil, err
	}
	return take(ctx, which(a.locksOf(user, app)))
}

func take(ctx context.Context, lock chan struct{}) (release func(), err error) {
	select {
	case lock <- struct{}{}:
		return func() { <-lock }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("apps: waiting for another change of the app: %w", ctx.Err())
	}
}

func building(l *locks) chan struct{} { return l.build }
func running(l *locks) chan struct{}  { return l.run }

func (a *Apps) locksOf(user, app string) *locks {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.locks[key(user, app)]
	if l == nil {
		l = &locks{build: make(chan struct{}, 1), run: make(chan struct{}, 1)}
		a.locks[key(user, app)] = l
	}
	return l
}

// find returns an app's document.
func (a *Apps) find(user, app string) (d document, err error) {
	err = a.o.DB.View(func(tx *bbolt.Tx) error {
		d, err = read(tx, user, app)
		return err
	})
	return d, err
}

func read(tx *bbolt.Tx, user, app string) (d document, err error) {
	text := tx.Bucket([]byte(bucketApps)).Get([]byte(key(user, app)))
	if text == nil {
		return document{}, core.Errorf(core.CodePlatformAppNotFound, "There is no app %s", key(user, app))
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return document{}, fmt.Errorf("apps: the document of %s is damaged: %w", key(user, app), err)
	}
	return d, nil
}

func write(tx *bbolt.Tx, d document) error {
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return tx.Bucket([]byte(bucketApps)).Put([]byte(key(d.User, d.Name)), text)
}

// update changes an app's document in one durable step, and returns it.
// Refusals of change pass as they are.
func (a *Apps) update(user, app string, change func(*bbolt.Tx, *document) error) (d document, err error) {
	err = a.o.DB.Update(func(tx *bbolt.Tx) error {
		if d, err = read(tx, user, app); err != nil {
			return err
		}
		if err := change(tx, &d); err != nil {
			return err
		}
		d.MTime = a.o.Now().UTC()
		return write(tx, d)
	})
	return d, wrapped("changing an app", err)
}

// wrapped tells what was being done, of errors that are no refusals.
func wrapped(doing string, err error) error {
	if _, refused := errors.AsType[*core.Error](err); err == nil || refused {
		return err
	}
	return fmt.Errorf("apps: %s: %w", doing, err)
}

// checkName refuses what can't name an app or a snapshot.
func checkName(what, name string) error {
	if core.ValidName(name) {
		return nil
	}
	return core.Errorf(core.CodePlatformInvalid, "%.100q can't be %s: lower-case letters, digits, '.', '_' and '-' may stand in it, at most %d, beginning with a letter or digit", name, what, core.MaxName)
}
