package coretest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// Faults makes calls of a fake fail: the next calls of a method return the errors
// that are queued for it, one each.
type Faults struct {
	mu     sync.Mutex
	queued map[string][]error
}

// Fail queues errs for the next calls of method.
func (f *Faults) Fail(method string, errs ...error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.queued == nil {
		f.queued = map[string][]error{}
	}
	f.queued[method] = append(f.queued[method], errs...)
}

func (f *Faults) next(method string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	errs := f.queued[method]
	if len(errs) == 0 {
		return nil
	}
	f.queued[method] = errs[1:]
	return errs[0]
}

// Platform is a deploy.Platform that records its calls. Its methods can be made to
// fail by their names.
type Platform struct {
	Faults

	// Uploaded, if set, is called at the end of Upload, outside of any lock.
	Uploaded func()
	// Started, if set, is called while Start runs, outside of any lock.
	Started func(user, app, snapshot string)

	mu        sync.Mutex
	apps      map[string]bool
	snapshots map[string]string       // user/app/snapshot → SHA-256 of the body
	starts    []string                // user/app/snapshot, in order
	orders    map[string]deploy.Order // user/app → the latest
	starting  map[string]int          // user/app → Starts at this moment
	sources   map[string]string       // user/app → what it is deployed from
	running   map[string]string       // user/app → snapshot
	roots     map[string]string       // app → the folder that its last snapshot was built in
	overlaps  int
}

var _ deploy.Platform = (*Platform)(nil)

// NewPlatform returns a Platform without apps.
func NewPlatform() *Platform {
	return &Platform{apps: map[string]bool{}, snapshots: map[string]string{}, starting: map[string]int{}, orders: map[string]deploy.Order{}, roots: map[string]string{}, sources: map[string]string{}, running: map[string]string{}}
}

// FindApp implements deploy.Platform.
func (p *Platform) FindApp(ctx context.Context, user, app string) (deploy.App, error) {
	if err := errors.Join(ctx.Err(), p.next("FindApp")); err != nil {
		return deploy.App{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.apps[user+"/"+app] {
		return deploy.App{}, fmt.Errorf("platform: app %s/%s: %w", user, app, core.ErrNotFound)
	}
	found := deploy.App{Source: p.sources[user+"/"+app], Running: p.running[user+"/"+app], URL: "http://" + app + ".localhost"}
	for id := range p.snapshots {
		if snapshot, ok := strings.CutPrefix(id, user+"/"+app+"/"); ok {
			found.Snapshots = append(found.Snapshots, snapshot)
		}
	}
	return found, nil
}

// SetSource implements deploy.Platform.
func (p *Platform) SetSource(ctx context.Context, user, app, source string) error {
	if err := errors.Join(ctx.Err(), p.next("SetSource")); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sources[user+"/"+app] = source
	return nil
}

// SetRunning makes a snapshot the one that the app runs, as a rollback by hand does.
func (p *Platform) SetRunning(user, app, snapshot string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running[user+"/"+app] = snapshot
}

// Destroy removes an app.
func (p *Platform) Destroy(user, app string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := user + "/" + app
	delete(p.apps, id)
	delete(p.running, id)
	delete(p.sources, id)
	maps.DeleteFunc(p.snapshots, func(name, _ string) bool { return strings.HasPrefix(name, id+"/") })
}

// Create implements deploy.Platform.
func (p *Platform) Create(ctx context.Context, user string, pkg deploy.Package) error {
	if err := errors.Join(ctx.Err(), p.next("Create")); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.apps[user+"/"+pkg.Name] = true
	return nil
}

// Upload implements deploy.Platform.
func (p *Platform) Upload(ctx context.Context, user string, pkg deploy.Package, snapshot string, body io.Reader, out io.Writer) error {
	if err := errors.Join(ctx.Err(), p.next("Upload")); err != nil {
		return err
	}
	app := pkg.Name
	id := user + "/" + app + "/" + snapshot
	p.mu.Lock()
	_, built := p.snapshots[id]
	exists := p.apps[user+"/"+app]
	p.mu.Unlock()
	if !exists {
		return fmt.Errorf("platform: upload to %s/%s: %w", user, app, core.ErrNotFound)
	}
	if built {
		return nil
	}
	digest := sha256.New()
	if _, err := io.Copy(digest, body); err != nil {
		return fmt.Errorf("platform: reading the snapshot: %w", err)
	}
	if _, err := io.WriteString(out, "built "+snapshot+"\n"); err != nil {
		return err
	}
	if p.Uploaded != nil {
		p.Uploaded()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.roots[app] = pkg.Root
	p.snapshots[id] = hex.EncodeToString(digest.Sum(nil))
	return nil
}

// Start implements deploy.Platform.
func (p *Platform) Start(ctx context.Context, user string, pkg deploy.Package, snapshot string, order deploy.Order) (string, error) {
	if err := errors.Join(ctx.Err(), p.next("Start")); err != nil {
		return "", err
	}
	app := user + "/" + pkg.Name
	p.mu.Lock()
	if _, exists := p.snapshots[app+"/"+snapshot]; !exists {
		p.mu.Unlock()
		return "", fmt.Errorf("platform: start %s: no snapshot %s", app, snapshot)
	}
	if order != (deploy.Order{}) && order.Compare(p.orders[app]) < 0 {
		p.mu.Unlock()
		return "", fmt.Errorf("platform: start %s: %w", app, core.ErrSuperseded)
	}
	if order.Compare(p.orders[app]) > 0 {
		p.orders[app] = order
	}
	p.starting[app]++
	if p.starting[app] > 1 {
		p.overlaps++
	}
	p.mu.Unlock()
	if p.Started != nil {
		p.Started(user, pkg.Name, snapshot)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starting[app]--
	p.starts = append(p.starts, app+"/"+snapshot)
	p.running[app] = snapshot
	return "http://" + pkg.Name + ".localhost", nil
}

// Starts returns what was started, "user/app/snapshot", oldest first.
func (p *Platform) Starts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.starts)
}

// Roots returns the folders that the last snapshots of apps were built in, by the
// names of the apps.
func (p *Platform) Roots() map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.roots)
}

// Overlaps returns how often an app was started while it was being started.
func (p *Platform) Overlaps() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.overlaps
}
