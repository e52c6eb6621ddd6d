package platform

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/accounts"
	"github.com/nodejitsu/webhooks/deployer/platform/api"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/builds"
	"github.com/nodejitsu/webhooks/deployer/platform/drones"
	"github.com/nodejitsu/webhooks/deployer/platform/router"
	"github.com/nodejitsu/webhooks/deployer/platform/seal"
	"github.com/nodejitsu/webhooks/deployer/platform/snapshots"
	"github.com/nodejitsu/webhooks/httpapi/serve"
	"github.com/nodejitsu/webhooks/httpapi/serve/throttle"
)

// Options are what [New] takes; only Dir is required.
type Options struct {
	// Dir is the folder for everything. Where the server is root, each app has
	// a user of its own, to which each folder above it must be open (o+x).
	Dir string

	Listen     string // address of the API, host:port; default: a free port of 127.0.0.1
	AppsListen string // address where apps are reached; default: a free port of 127.0.0.1
	AppsDomain string // apps are below it, SUBDOMAIN.DOMAIN; default "localhost"

	// TLS has the certificates for where apps are reached; nil: HTTP without
	// TLS. [Platform.Serves] tells which hosts may have one.
	TLS *tls.Config

	// Key is the service user's; default: kept in Dir, made at the first start.
	Key core.Secret
	// SealKeys are what third-party tokens are sealed with, one on each line, the
	// one to seal with first (package seal); default: kept in Dir, in [SealFile].
	SealKeys core.Secret

	Proxies serve.Proxies // whose X-Forwarded headers are believed

	NpmRegistry string // URL of the npm registry; default: npm's own

	BuildTimeout time.Duration // for a build; default 10 minutes
	ReadyTimeout time.Duration // for an app to accept connections, and its health path to answer; default 30 s
	DrainTimeout time.Duration // for requests to end at a version that another has replaced; default 60 s

	Logins *throttle.Throttle // throttles clients that guess credentials; default: one of its own

	MaxConnections int // connections at a time, of each port; default: by how many files the process may open

	Fail   func(error)  // told when serving ends for another reason than Stop; default: not told
	Logger *slog.Logger // default: discards
}

// Platform runs apps. Start it before anything else.
type Platform struct {
	o Options

	mu     sync.RWMutex // guards what follows, which Start sets
	key    core.Secret
	db     *bbolt.DB
	users  *accounts.Accounts
	drones *drones.Supervisor
	router *router.Router
	serves func(host string) (user, app string, ok bool)
	api    *serve.Server
	apps   *serve.Server
}

// New returns a Platform. It touches nothing yet.
func New(o Options) *Platform {
	o.Listen = cmp.Or(o.Listen, "127.0.0.1:0")
	o.AppsListen = cmp.Or(o.AppsListen, "127.0.0.1:0")
	o.AppsDomain = cmp.Or(o.AppsDomain, "localhost")
	if o.Fail == nil {
		o.Fail = func(error) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Platform{o: o}
}

// Start opens the files, listens, and starts what ran when the platform
// stopped, or was killed. ctx is for Start alone. Where it fails nothing is
// left running.
func (p *Platform) Start(ctx context.Context) error {
	if p.URL() != "" {
		return errors.New("platform: it was started already")
	}
	if err := p.start(ctx); err != nil {
		return errors.Join(fmt.Errorf("platform: %w", err), p.Stop(ctx))
	}
	return nil
}

func (p *Platform) start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := os.MkdirAll(p.o.Dir, 0o711); err != nil { //nolint:gosec // the apps' users pass through
		return fmt.Errorf("making the folder: %w", err)
	}
	var err error
	if p.db, err = open(filepath.Join(p.o.Dir, "platform.db")); err != nil {
		return err
	}
	if p.key = p.o.Key; p.key.IsZero() {
		if p.key, err = loadKey(p.o.Dir); err != nil {
			return err
		}
	}
	if p.users, err = p.openAccounts(ctx); err != nil {
		return err
	}
	// Ports first: if they are in use, no app must have been started.
	if err := p.listen(ctx); err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(p.apps.Addr())
	if err != nil {
		return err
	}
	all, err := p.assemble(port)
	if err != nil {
		return err
	}
	if err := p.drones.Start(ctx); err != nil {
		return err
	}
	if err := all.Sweep(); err != nil {
		return err
	}
	p.router = router.New(router.Options{
		Lookup: all.Lookup, Pick: p.drones.Pick, Proxies: p.o.Proxies, Logger: p.o.Logger,
	})
	p.serves = all.Lookup
	p.apps.Serve(p.router)
	p.api.Serve(api.New(api.Options{
		Accounts: p.users, Apps: all, Proxies: p.o.Proxies, Logins: p.o.Logins, Logger: p.o.Logger,
	}))
	return nil
}

// The parts of the files of the process that connections may be: 1/8 to apps,
// each of which needs a second one to the app, and 1/16 to the API.
const (
	appsFileShare = 8
	apiFileShare  = 16
)

// listen binds the addresses.
func (p *Platform) listen(ctx context.Context) error {
	p.api = serve.New(serve.Options{
		Name: "platform-listen", Addr: p.o.Listen, MaxConns: p.o.MaxConnections, FileShare: apiFileShare,
		Trusted: p.o.Proxies, Untrusted: drones.IsApp,
		ReadTimeout: time.Minute, WriteTimeout: time.Minute, Fail: p.o.Fail, Logger: p.o.Logger,
	})
	p.apps = serve.New(serve.Options{
		Name: "apps-listen", Addr: p.o.AppsListen, TLS: p.o.TLS, MaxConns: p.o.MaxConnections, FileShare: appsFileShare,
		Trusted: p.o.Proxies, Untrusted: drones.IsApp, Fail: p.o.Fail, Logger: p.o.Logger,
	})
	if err := p.api.Listen(ctx); err != nil {
		return err
	}
	return p.apps.Listen(ctx)
}

// openAccounts opens the users with their tokens.
func (p *Platform) openAccounts(ctx context.Context) (*accounts.Accounts, error) {
	text := p.o.SealKeys
	if text.IsZero() {
		var err error
		if text, err = load(filepath.Join(p.o.Dir, SealFile), seal.NewKey); err != nil {
			return nil, err
		}
	}
	keys, err := seal.Parse(text)
	if err != nil {
		return nil, err
	}
	users, err := accounts.New(accounts.Options{DB: p.db, Seal: keys, ServiceUser: core.ServiceUser, Key: p.key})
	if err != nil {
		return nil, err
	}
	resealed, err := users.Reseal()
	if err != nil {
		// Whoever has the lost key can put it back; until then those wait.
		p.o.Logger.ErrorContext(ctx, "third-party tokens can't be read", "error", err)
	}
	if resealed > 0 {
		p.o.Logger.InfoContext(ctx, "third-party tokens sealed by the new key", "tokens", resealed)
	}
	return users, nil
}

// assemble puts together what keeps and runs apps, which are reached at port.
func (p *Platform) assemble(port string) (*apps.Apps, error) {
	var all *apps.Apps // set before the drones start
	p.drones = drones.New(drones.Options{
		Dir: filepath.Join(p.o.Dir, "drones"), ReadyTimeout: p.o.ReadyTimeout, DrainTimeout: p.o.DrainTimeout, Logger: p.o.Logger,
		RolledBack: func(r drones.Rollback) { all.RolledBack(r) },
	})
	store := snapshots.New(snapshots.Options{
		Dir: filepath.Join(p.o.Dir, "archives"), Builds: filepath.Join(p.o.Dir, "builds"),
		Builder: builds.New(builds.Options{
			Cache: filepath.Join(p.o.Dir, "cache"), Registry: p.o.NpmRegistry, Timeout: p.o.BuildTimeout,
			Mark: p.drones.Mark, Start: p.drones.Group, Logger: p.o.Logger,
		}),
		Credential: p.drones.Credential,
	})
	if err := store.Prepare(); err != nil {
		return nil, err
	}
	var err error
	all, err = apps.New(apps.Options{
		DB: p.db, Snapshots: store, Drones: p.drones, Domain: p.o.AppsDomain, Logger: p.o.Logger,
		URL: func(subdomain string) string {
			host, scheme, usual := subdomain+"."+p.o.AppsDomain, "http://", "80"
			if p.o.TLS != nil {
				scheme, usual = "https://", "443"
			}
			if port != usual {
				host = net.JoinHostPort(host, port)
			}
			return scheme + host
		},
	})
	return all, err
}

// open opens the database. A second server on the same folder is refused at
// once, and not made to wait.
func open(path string) (*bbolt.DB, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 100 * time.Millisecond})
	if errors.Is(err, bbolt.ErrTimeout) { //nolint:staticcheck // the same value as in package errors of bbolt
		return nil, fmt.Errorf("another server uses %s; stop it, or name another data folder", path)
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return db, nil
}

// Stop ends the API, then the apps with their requests, as far as ctx leaves
// time for grace. What ran will run again after the next Start. It may be
// called without Start, and again.
func (p *Platform) Stop(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var faults []error
	if p.api != nil {
		faults = append(faults, p.api.Stop(ctx))
	}
	// Both at once: a stream ends only with its drone.
	var ending sync.WaitGroup
	var routing error
	if p.apps != nil {
		ending.Go(func() { routing = p.apps.Stop(ctx) })
	}
	if p.drones != nil {
		faults = append(faults, p.drones.Stop(ctx))
	}
	ending.Wait()
	faults = append(faults, routing)
	if p.router != nil {
		p.router.Close()
	}
	if p.db != nil {
		faults = append(faults, p.db.Close())
	}
	p.serves = nil
	p.api, p.apps, p.drones, p.router, p.users, p.db = nil, nil, nil, nil, nil, nil
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("platform: stopping: %w", err)
	}
	return nil
}

// URL returns where the API is; "" while the platform does not run.
func (p *Platform) URL() string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.api == nil {
		return ""
	}
	return "http://" + p.api.Reachable()
}

// RouterAddr returns the address, host:port, where apps are reached; "" while
// the platform does not run.
func (p *Platform) RouterAddr() string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.apps == nil {
		return ""
	}
	return p.apps.Reachable()
}

// Serves tells whether an app is reached at host; false while the platform does
// not run.
func (p *Platform) Serves(host string) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.serves == nil {
		return false
	}
	_, _, ok := p.serves(host)
	return ok
}

// Key returns what the service user proves itself with; "" before Start.
func (p *Platform) Key() core.Secret {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.key
}
