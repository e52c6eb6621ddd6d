package platform

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/accounts"
	"github.com/nodejitsu/webhooks/deployer/platform/api"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/events"
	"github.com/nodejitsu/webhooks/deployer/platform/processes"
	"github.com/nodejitsu/webhooks/deployer/platform/router"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/httpapi/serve"
	"github.com/nodejitsu/webhooks/httpapi/serve/throttle"
)

// Options are the settings of [New]; only Dir is required.
type Options struct {
	// Dir is the folder for all files. If the server runs as root, each app has
	// its own user, who must be able to traverse each folder above it (o+x).
	Dir string

	Listen     string     // address of the API, host:port; default: a free port of 127.0.0.1
	AppsListen string     // address that serves apps; default: a free port of 127.0.0.1
	Bind       serve.Bind // returns the listeners; default: new ones
	// Shared: the platform does not listen on AppsListen. Another listener serves
	// the apps by [Platform.AppsHandler].
	Shared     bool
	AppsDomain string // apps are below it, SUBDOMAIN.DOMAIN; default "localhost"
	// AppsURL returns the URL of AppsDomain as people use it, such as
	// "https://example.com"; default: by AppsDomain, TLS and the port listened on.
	AppsURL func() string
	// ReservedHosts are hosts that no app may have, such as that of the listener
	// it shares.
	ReservedHosts []string

	// TLS has the certificates for AppsListen; nil: HTTP without TLS.
	// [Platform.Serves] reports which hosts may have one.
	TLS *tls.Config

	// Key is the service user's; default: kept in Dir, created at the first start.
	Key core.Secret
	// SealKeys seal third-party tokens and environments. There is one on each
	// line, and the first one seals (package seal); default: kept in Dir, in
	// [SealFile].
	SealKeys core.Secret

	Proxies serve.Proxies // whose X-Forwarded headers are trusted

	NpmRegistry string // URL of the npm registry; default: npm's own

	BuildTimeout time.Duration // for a build; default 10 minutes
	BuildMemory  int           // MiB that a build may have; default 2048
	ReadyTimeout time.Duration // for an app to accept connections, and its health path to answer; default 30 s
	MinReadyTime time.Duration // for which a new version must be up before it replaces the previous one; default 0
	DrainTimeout time.Duration // for the requests of a replaced version to end; default 60 s
	AppMemory    int           // MiB that a drone may have, if its app sets no limit; default 1024
	AppMaxMemory int           // MiB that an app may set as its limit; default 4096, at least AppMemory

	// DiskBudget is the disk space in MiB for snapshots, builds and caches. Before it is
	// used, build caches and old snapshots are removed; 0: no limit.
	DiskBudget    int
	KeepSnapshots int // of an app; default 10

	// Keeper is the command that runs [Keep], such as this program with an
	// argument. Each drone is then run by a process of its own, and goes on if the
	// server is killed; the next one takes it over. Without it, drones end with the
	// server.
	Keeper []string
	// KeepApps reports whether Stop leaves the drones to the next server; default:
	// it ends them.
	KeepApps      func() bool
	OrphanTimeout time.Duration // for how long drones go on without a server; 0: for ever

	// Runner returns what runs the apps, whose files are in dir; default: processes of
	// this machine. Builds are processes of this machine in any case.
	Runner func(dir string, crashed func(runner.Crash)) (Remote, error)

	Logins *throttle.Throttle // throttles clients that guess credentials; default: one of its own

	AccessLog bool // write a line about each request to an app to Logger

	MaxConnections int // connections at a time, of each port; default: by how many files the process may open

	Fail   func(error)  // called if serving fails; default: does nothing
	Logger *slog.Logger // default: discards
}

// Runner is what the platform needs of a runner.
type Runner interface {
	runner.Runner
	// States returns the states of all apps that have run since Start.
	States() []runner.State
	// EndOthers ends what an earlier platform has left of apps that are to run no more: for
	// which neither Resume nor Note was called. It is called before anything else starts an
	// app.
	EndOthers(ctx context.Context)
}

// Remote is a Runner whose apps are on other machines.
type Remote interface {
	Runner
	// Reachable fails if these can't be reached.
	Reachable(ctx context.Context) error
}

// Platform runs apps. Call Start before the other methods.
type Platform struct {
	o Options

	mu     sync.RWMutex // guards what follows, which Start sets
	key    core.Secret
	db     *bbolt.DB
	users  *accounts.Accounts
	runner Runner
	apps   *apps.Apps
	events *events.Journal
	space  *space
	built  chan struct{} // receives after builds
	budget *budget
	router *router.Router
	api    *api.API

	apiServer, appsServer *serve.Server
	appsAddr              string // of appsServer; it does not change after Start

	opening *opening // the rest of a start with a Remote; nil otherwise

	kill atomic.Pointer[processes.Runner] // of this machine: for Kill, which does not acquire mu
}

// New returns a Platform. It has no side effects.
func New(o Options) *Platform {
	o.Listen = cmp.Or(o.Listen, "127.0.0.1:0")
	o.AppsListen = cmp.Or(o.AppsListen, "127.0.0.1:0")
	o.AppsDomain = cmp.Or(o.AppsDomain, "localhost")
	if o.KeepApps == nil {
		o.KeepApps = func() bool { return false }
	}
	if o.Fail == nil {
		o.Fail = func(error) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Platform{o: o}
}

// Start opens the files, listens, takes over the drones that an earlier server left
// to their keepers, and starts what else ran when the platform stopped or was killed. If the files exist it works with a full disk. ctx applies only to
// Start. If Start fails, nothing is left running. If a [Remote] is not reachable, Start
// returns nil, its rest is done when that is reachable, and until then [Platform.Check]
// fails.
func (p *Platform) Start(ctx context.Context) error {
	if p.URL() != "" {
		return errors.New("platform: already started")
	}
	if err := p.start(ctx); err != nil {
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			err = fmt.Errorf("%w: free space on the disk of %s, then start again", err, p.o.Dir)
		}
		return errors.Join(fmt.Errorf("platform: %w", err), p.Stop(ctx))
	}
	p.settle(ctx)
	return nil
}

func (p *Platform) start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := os.MkdirAll(p.o.Dir, 0o711); err != nil { //nolint:gosec // the apps' users traverse it
		return fmt.Errorf("creating the folder: %w", err)
	}
	// Listen first: if a port is in use, no app must have been started.
	if err := p.listen(ctx); err != nil {
		return err
	}
	if err := p.assemble(ctx); err != nil {
		return err
	}
	if err := p.runner.Start(ctx); err != nil {
		return err
	}
	if err := p.apps.Sweep(); err != nil {
		return err
	}
	p.space = watchSpace(p.o.Dir, p.o.Logger)                                               //nolint:contextcheck // it watches as long as the platform runs
	p.budget = watchBudget(int64(p.o.DiskBudget)<<20, p.o.Dir, p.built, p.apps, p.o.Logger) //nolint:contextcheck // the same
	if e, ok := p.runner.(elsewhere); ok {
		p.opening = p.openLater(e) //nolint:contextcheck // it waits longer than Start
		return nil
	}
	if err := p.apps.Resume(ctx); err != nil {
		return err
	}
	p.runner.EndOthers(ctx)
	p.open()
	p.serve(p.router, p.api)
	return nil
}

// open creates what answers requests. The mutex must be held.
func (p *Platform) open() {
	var access *slog.Logger
	if p.o.AccessLog {
		access = p.o.Logger
	}
	p.router = router.New(router.Options{
		Access: access,
		Lookup: p.apps.Lookup, Pick: p.runner.Pick, Refused: p.runner.Refused, Proxies: p.o.Proxies, Logger: p.o.Logger,
	})
	p.api = api.New(api.Options{
		Accounts: p.users, Apps: p.apps, Events: p.events, Proxies: p.o.Proxies, Logins: p.o.Logins, Logger: p.o.Logger,
	})
}

// serve begins to serve.
func (p *Platform) serve(apps, api http.Handler) {
	if p.appsServer != nil {
		p.appsServer.Serve(apps)
	}
	p.apiServer.Serve(api)
}

// Stop stops the API, then the apps, gracefully until ctx ends. The next Start
// starts again what ran. If [Options.KeepApps] returns true, the apps go on, but
// answer no requests until then. Stop may be called without Start, and more than once.
func (p *Platform) Stop(ctx context.Context) error {
	p.stopOpening()
	p.mu.Lock()
	defer p.mu.Unlock()
	var faults []error
	if p.events != nil {
		p.events.Close()
	}
	if p.apiServer != nil {
		faults = append(faults, p.apiServer.Stop(ctx))
	}
	if p.budget != nil {
		p.budget.stop()
	}
	if p.apps != nil {
		p.apps.Close()
	}
	// Both at the same time, as a stream ends only with its drone; but drones that
	// go on finish their requests first.
	var ending sync.WaitGroup
	var routing error
	if p.appsServer != nil {
		ending.Go(func() { routing = p.appsServer.Stop(ctx) })
	}
	if p.o.KeepApps() {
		ending.Wait()
	}
	if p.runner != nil {
		faults = append(faults, p.runner.Stop(ctx))
	}
	ending.Wait()
	faults = append(faults, routing)
	if p.router != nil {
		p.router.Close()
	}
	if p.space != nil {
		p.space.stop()
	}
	if p.db != nil {
		faults = append(faults, p.db.Close())
	}
	p.apiServer, p.appsServer, p.router, p.api, p.space, p.budget, p.opening = nil, nil, nil, nil, nil, nil, nil
	p.apps, p.events, p.runner, p.users, p.db = nil, nil, nil, nil, nil
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("platform: stopping: %w", err)
	}
	return nil
}

// Kill ends all apps at once, for a process that must end now, unless
// [Options.KeepApps] returns true. No other method may
// be called after it.
func (p *Platform) Kill() {
	if r := p.kill.Load(); r != nil {
		r.Kill()
	}
}

// Check fails with [core.CodePlatformNoSpace] while the disk is full, and with
// [core.CodePlatformBusy] until what the apps run on was reached.
func (p *Platform) Check(context.Context) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.opening != nil && p.api == nil {
		return core.NewError(core.CodePlatformBusy, "", p.opening.failure())
	}
	if p.space == nil {
		return nil
	}
	return p.space.check()
}

// Warnings returns what an operator should look at although the platform can do its
// work, a sentence each.
func (p *Platform) Warnings() []string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.budget == nil {
		return nil
	}
	var all []string
	for _, text := range []string{p.space.warning(), p.budget.warning()} {
		if text != "" {
			all = append(all, text)
		}
	}
	return all
}

// Disk returns the disk space; the zero Disk while the platform does not run.
func (p *Platform) Disk() Disk {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.budget == nil {
		return Disk{}
	}
	return Disk{Free: p.space.free.Load(), Used: p.budget.used.Load(), Budget: p.budget.limit}
}

// CopyTo copies the database of users and apps as it is now, while it is written
// to. It calls begin with the number of bytes, and writes them to what begin
// returns.
func (p *Platform) CopyTo(begin func(size int64) (io.Writer, error)) error {
	p.mu.RLock()
	db := p.db
	p.mu.RUnlock()
	if db == nil {
		return errors.New("platform: not running")
	}
	return db.View(func(tx *bbolt.Tx) error {
		w, err := begin(tx.Size())
		if err != nil {
			return err
		}
		_, err = tx.WriteTo(w)
		return err
	})
}

// States returns the states of the apps that run or have run since Start; nil while
// the platform does not run.
func (p *Platform) States() []runner.State {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.runner == nil {
		return nil
	}
	return p.runner.States()
}

// Key returns the service user's password; "" before Start.
func (p *Platform) Key() core.Secret {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.key
}

// EndApps ends the apps that run without a server, of the platform in dir. It fails
// if a server uses the folder. The next server starts them again.
func EndApps(ctx context.Context, dir string, logger *slog.Logger) error {
	drones := filepath.Join(dir, "drones")
	if _, err := os.Stat(drones); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	r := processes.New(processes.Options{Dir: drones, Logger: logger})
	if err := r.Start(ctx); err != nil {
		return fmt.Errorf("platform: ending apps: %w", err)
	}
	return r.Stop(ctx)
}

// Keep is the process that keeps one drone: what the command [Options.Keeper] must
// run. It returns its exit code.
func Keep(ctx context.Context) int { return processes.Keep(ctx) }

// path returns the path of a file in the platform's folder.
func (p *Platform) path(name string) string { return filepath.Join(p.o.Dir, name) }
