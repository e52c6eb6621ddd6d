package platform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/atomicfile"
	"github.com/nodejitsu/webhooks/deployer/platform/accounts"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/builds"
	"github.com/nodejitsu/webhooks/deployer/platform/events"
	"github.com/nodejitsu/webhooks/deployer/platform/processes"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/deployer/platform/seal"
	"github.com/nodejitsu/webhooks/deployer/platform/snapshots"
)

// assemble opens the platform's files and creates its parts. The addresses must be
// bound.
func (p *Platform) assemble(ctx context.Context) (err error) {
	if p.db, err = open(p.path("platform.db")); err != nil {
		return err
	}
	if p.key = p.o.Key; p.key.Reveal() == "" {
		if p.key, err = loadKey(p.o.Dir); err != nil {
			return err
		}
	}
	keys, err := p.sealKeys()
	if err != nil {
		return err
	}
	p.users, err = accounts.New(accounts.Options{DB: p.db, Seal: keys, ServiceUser: core.ServiceUser, Key: p.key})
	if err != nil {
		return err
	}
	built := make(chan struct{}, 1)
	p.built = built
	var all atomic.Pointer[apps.Apps] // set before a drone can crash
	crashed := func(c runner.Crash) { all.Load().Crashed(c) }
	local := processes.New(processes.Options{
		Dir: p.path("drones"), ReadyTimeout: p.o.ReadyTimeout, DrainTimeout: p.o.DrainTimeout, Memory: int64(p.o.AppMemory) << 20,
		Keeper: p.o.Keeper, KeepDrones: p.o.KeepApps, OrphanTimeout: p.o.OrphanTimeout,
		BuildsOnly: p.o.Runner != nil, Crashed: crashed, Logger: p.o.Logger,
	})
	if p.runner = local; p.o.Runner != nil {
		other, err := p.o.Runner(p.path("runner"), crashed)
		if err != nil {
			return err
		}
		p.runner = elsewhere{other, local}
	}
	store := snapshots.New(snapshots.Options{
		Dir: p.path("archives"), Builds: p.path("builds"),
		Builder: builds.New(builds.Options{
			Cache: p.path("cache"), Registry: p.o.NpmRegistry, Timeout: p.o.BuildTimeout, Memory: int64(p.o.BuildMemory) << 20,
			Mark: local.Mark, Start: local.Group, Logger: p.o.Logger,
		}),
		Credential: local.Credential,
	})
	if err := store.Prepare(); err != nil {
		return err
	}
	if p.events, err = events.Open(p.db); err != nil {
		return err
	}
	p.apps, err = apps.New(apps.Options{
		DB: p.db, Seal: keys, Snapshots: store, Runner: p.runner, Domain: p.o.AppsDomain, Reserved: p.o.ReservedHosts, URL: p.AppURL,
		Keep: p.o.KeepSnapshots, Memory: p.o.AppMemory, MaxMemory: p.o.AppMaxMemory, MinReady: p.o.MinReadyTime, Events: p.events.Add, Logger: p.o.Logger,
		Built: func() {
			select {
			case built <- struct{}{}:
			default: // the disk is about to be measured
			}
		},
	})
	if err != nil {
		return err
	}
	all.Store(p.apps)
	p.kill.Store(local)
	p.reseal(ctx)
	return nil
}

// sealKeys returns the keys that seal secrets.
func (p *Platform) sealKeys() (*seal.Keys, error) {
	text := p.o.SealKeys
	if text.Reveal() == "" {
		var err error
		if text, err = load(p.path(SealFile), seal.NewKey); err != nil {
			return nil, err
		}
	}
	return seal.Parse(text)
}

// reseal seals with the first key what other keys have sealed. If something can't
// be read or written, the next start tries it again.
func (p *Platform) reseal(ctx context.Context) {
	tokens, err := p.users.Reseal()
	environments, failure := p.apps.Reseal()
	if err := errors.Join(err, failure); err != nil {
		p.o.Logger.ErrorContext(ctx, "secrets not sealed by the new key", "error", err)
	}
	if tokens+environments > 0 {
		p.o.Logger.InfoContext(ctx, "secrets sealed by the new key", "tokens", tokens, "apps", environments)
	}
}

// open opens the database. If another server has it open, open fails without
// waiting.
func open(path string) (*bbolt.DB, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, fmt.Errorf("creating %s: %w", path, err)
		}
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 100 * time.Millisecond})
	if errors.Is(err, bbolt.ErrTimeout) { //nolint:staticcheck // the same value as in package errors of bbolt
		return nil, fmt.Errorf("another server uses %s; stop it, or use another data folder", path)
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return db, nil
}

// create creates an empty database, in one step: of a disk that is full, bbolt would
// leave a part of it, which no later start can open.
func create(path string) (err error) {
	part := path + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(part)) }()
	db, err := bbolt.Open(part, 0o600, nil)
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	return atomicfile.Rename(part, path)
}
