package kubernetes

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/atomicfile"
	"github.com/nodejitsu/webhooks/deployer/platform/applog"
	"github.com/nodejitsu/webhooks/deployer/platform/ctxlock"
	"github.com/nodejitsu/webhooks/deployer/platform/kubernetes/image"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/deployer/platform/startup"
)

// Runner runs apps in a cluster. It is safe for concurrent use; calls that change the
// same app wait for each other.
type Runner struct {
	o        Options
	api      *client
	images   *image.Builder
	logs     *followers
	platform string // id of the platform, as its objects have it

	ctx     context.Context // from Start to Stop
	cancel  context.CancelFunc
	running sync.WaitGroup // of what runs in the background

	mu     sync.RWMutex
	open   bool
	apps   map[string]*application // by key
	spaces map[string]*space       // by namespace
}

var _ runner.Runner = (*Runner)(nil)

// New returns a Runner without any apps. It fails if the kubeconfig can't be read, or
// a setting is invalid.
func New(o Options) (*Runner, error) {
	o = o.withDefaults()
	api, err := connect(o.Kubeconfig, o.Logger)
	if err != nil {
		return nil, err
	}
	o.Image.Temp = filepath.Join(o.Dir, imagesDir)
	images, err := image.New(o.Image)
	if err != nil {
		return nil, err
	}
	r := &Runner{o: o, api: api, images: images, apps: map[string]*application{}, spaces: map[string]*space{}}
	r.logs = &followers{runner: r, pods: map[string]*follower{}}
	return r, nil
}

const (
	idFile    = "id"     // has the id of the platform
	imagesDir = "images" // has the layers that are being made
)

// Start implements runner.Runner. ctx is only used by Start itself. The cluster need not
// be reachable: calls wait for it.
func (r *Runner) Start(ctx context.Context) error {
	// What an earlier platform was making is of no use.
	if err := errors.Join(os.RemoveAll(r.o.Image.Temp), os.MkdirAll(r.o.Image.Temp, 0o700)); err != nil {
		return fmt.Errorf("kubernetes: creating the folder: %w", err)
	}
	id, err := os.ReadFile(filepath.Join(r.o.Dir, idFile))
	if errors.Is(err, fs.ErrNotExist) {
		id = []byte(newLaunch())
		err = atomicfile.Write(filepath.Join(r.o.Dir, idFile), id, 0o600)
	}
	if err != nil {
		return fmt.Errorf("kubernetes: the id of the platform: %w", err)
	}
	r.platform = string(id)
	r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.mu.Lock()
	r.open = true
	r.mu.Unlock()
	return nil
}

// Reachable fails if the cluster does not answer.
func (r *Runner) Reachable(ctx context.Context) error {
	if err := r.api.try(ctx, request{method: http.MethodGet, path: "/version"}, nil); err != nil {
		return fmt.Errorf("kubernetes: asking the cluster at %s for its version: %w", r.api.base, err)
	}
	return nil
}

// Stop leaves the apps to the next platform, which takes them over. Commands are
// ended.
func (r *Runner) Stop(ctx context.Context) error {
	r.mu.Lock()
	was := r.open
	r.open = false
	apps := slices.Collect(maps.Values(r.apps))
	r.mu.Unlock()
	if !was {
		return nil
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var ending sync.WaitGroup
		for _, a := range apps {
			ending.Go(func() { a.commands.End()() })
		}
		ending.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	r.cancel()
	r.running.Wait()
	var err error
	for _, a := range apps {
		err = errors.Join(err, a.journal.Close())
	}
	return err
}

// Kill stops everything at once, and leaves the apps and what was begun as they are.
func (r *Runner) Kill() {
	r.mu.Lock()
	r.open = false
	r.mu.Unlock()
	if r.cancel != nil {
		r.cancel()
	}
}

// background runs do until Stop waits for it; once Stop was called, it does nothing
// but call otherwise.
func (r *Runner) background(do func(), otherwise ...func()) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if !r.open {
		for _, call := range otherwise {
			call()
		}
		return
	}
	r.running.Go(do)
}

// Launch implements runner.Runner.
func (r *Runner) Launch(ctx context.Context, v runner.Version) (runner.Candidate, error) {
	if err := check(v); err != nil {
		return nil, err
	}
	a, err := r.acquire(ctx, v.User, v.App)
	if err != nil {
		return nil, err
	}
	c, err := a.launchVersion(ctx, v)
	if err != nil {
		a.lock.Release()
		return nil, wrapped("launching a version", err)
	}
	return c, nil // c releases the lock
}

// wrapped adds what was being done to errors that are not refusals.
func wrapped(doing string, err error) error {
	if _, refused := errors.AsType[*core.Error](err); err == nil || refused {
		return err
	}
	return fmt.Errorf("kubernetes: %s: %w", doing, err)
}

// check returns an error if v is invalid.
func check(v runner.Version) error {
	if err := startup.Check(v); err != nil {
		return err
	}
	if image.Inside(v.Root, v.Dir) == "" {
		return fmt.Errorf("kubernetes: the folder %q is not in %q", v.Dir, v.Root)
	}
	for name := range v.Env {
		if strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") != "" {
			return core.Errorf(core.CodePlatformStartFailed, "the environment variable %q can't be set in a cluster; its name may have letters, digits, '_', '-' and '.'", name)
		}
	}
	return nil
}

// Resume implements runner.Runner.
func (r *Runner) Resume(ctx context.Context, v runner.Version) (launch string, err error) {
	if err := check(v); err != nil {
		return "", err
	}
	a, err := r.acquire(ctx, v.User, v.App)
	if err != nil {
		return "", err
	}
	defer a.lock.Release()
	launch, err = a.resume(ctx, v)
	return launch, wrapped("resuming an app", err)
}

// Halt implements runner.Runner.
func (r *Runner) Halt(ctx context.Context, user, app string) error {
	a, err := r.acquire(ctx, user, app)
	if err != nil {
		return err
	}
	defer a.lock.Release()
	return wrapped("stopping an app", a.halt(ctx))
}

// Destroy implements runner.Runner.
func (r *Runner) Destroy(ctx context.Context, user, app string) error {
	a, err := r.acquire(ctx, user, app)
	if err != nil {
		return err
	}
	defer a.lock.Release()
	defer a.commands.End()() // none begins before everything is removed
	err = a.halt(ctx)
	if err == nil {
		err = a.removeVolume(ctx)
	}
	if failure := r.images.Prune(ctx, user, app, nil); failure != nil {
		r.o.Logger.WarnContext(ctx, "images of a destroyed app not deleted", "user", user, "app", app, "error", failure)
	}
	return wrapped("destroying an app", errors.Join(err, a.journal.Close(), os.RemoveAll(a.journal.Dir())))
}

// acquire returns an app with its lock held, whose pods are known.
func (r *Runner) acquire(ctx context.Context, user, app string) (*application, error) {
	if !core.ValidName(user) || !core.ValidName(app) {
		return nil, fmt.Errorf("kubernetes: invalid app name %q", key(user, app))
	}
	a := r.app(user, app)
	if err := a.lock.Acquire(ctx); err != nil {
		return nil, fmt.Errorf("kubernetes: waiting for another change of the app: %w", err)
	}
	s, err := r.space(a.namespace)
	if err == nil {
		if a.space == nil { // what runs in the background reads it
			a.space = s
		}
		err = s.known(ctx)
	}
	if err != nil {
		a.lock.Release()
		return nil, wrapped("waiting for the pods of "+a.namespace, err)
	}
	return a, nil
}

// space returns the pods of a namespace.
func (r *Runner) space(namespace string) (*space, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.open {
		return nil, core.NewError(core.CodePlatformBusy, "", nil)
	}
	s := r.spaces[namespace]
	if s == nil {
		of := selector(labelManagedBy, managedBy, labelPlatform, r.platform)
		s = newSpace(r.api, namespace, of, func(err error) {
			if err == nil {
				r.o.Logger.Info("cluster reachable again", "namespace", namespace)
				return
			}
			r.o.Logger.Warn("cluster not reachable; apps go on", "namespace", namespace, "error", err)
		})
		r.spaces[namespace] = s
		r.running.Go(func() { s.follow(r.ctx) })
	}
	return s, nil
}

// CheckLimits implements runner.Runner.
func (r *Runner) CheckLimits(l runner.Limits) error {
	if l.Processes > 0 {
		return core.Errorf(core.CodePlatformInvalid, "A cluster limits processes and threads for all pods of a node alike (podPidsLimit of the kubelet), not for one app")
	}
	return nil
}

// State implements runner.Runner.
func (r *Runner) State(user, app string) runner.State {
	a := r.known(user, app)
	if a == nil {
		return runner.State{User: user, App: app, Phase: runner.Stopped}
	}
	return a.state()
}

// States returns the states of all apps that have run since Start.
func (r *Runner) States() []runner.State {
	r.mu.RLock()
	apps := slices.Collect(maps.Values(r.apps))
	r.mu.RUnlock()
	states := make([]runner.State, len(apps))
	for i, a := range apps {
		states[i] = a.state()
	}
	return states
}

// Pick implements runner.Runner.
func (r *Runner) Pick(user, app, client string) (t runner.Target, ok bool) {
	a := r.known(user, app)
	if a == nil {
		return runner.Target{}, false
	}
	return a.pick(client)
}

// Refused implements runner.Runner.
func (r *Runner) Refused(user, app, addr string) {
	if a := r.known(user, app); a != nil {
		a.refusedBy(addr)
	}
}

// Logs implements runner.Runner.
func (r *Runner) Logs(user, app string, from, until time.Time, rows int) ([]runner.Line, error) {
	if !core.ValidName(user) || !core.ValidName(app) {
		return nil, nil
	}
	return r.app(user, app).journal.Last(from, until, rows)
}

// Note implements runner.Runner.
func (r *Runner) Note(user, app, text string) {
	if core.ValidName(user) && core.ValidName(app) {
		r.app(user, app).note("", 0, text)
	}
}

// app returns the app, creating it if it is new.
func (r *Runner) app(user, name string) *application {
	if a := r.known(user, name); a != nil {
		return a
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.apps[key(user, name)]
	if a == nil {
		namespace := r.o.Namespace
		if namespace == "" {
			namespace = NamespacePrefix + dns(user, 40)
		}
		a = &application{
			runner: r, name: name, lock: ctxlock.New(1), late: make(chan struct{}), publishing: ctxlock.New(1),
			place: place{
				namespace: namespace, prefix: prefix(user, name, r.o.Namespace != ""), user: user, app: name, platform: r.platform,
			},
			journal: applog.New(filepath.Join(r.o.Dir, "logs", user, name)),
			ending:  map[string]bool{}, once: map[string]bool{}, phase: runner.Stopped,
		}
		r.apps[key(user, name)] = a
	}
	return a
}

// known returns the app, or nil.
func (r *Runner) known(user, name string) *application {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.apps[key(user, name)]
}

func key(user, app string) string { return user + "/" + app }

// halt ends the app's pods and waits for their end. While the API is away, it changes
// nothing, so that the app goes on if ctx ends. The lock must be held.
func (a *application) halt(ctx context.Context) error {
	if err := a.runner.api.list(ctx, deployments, a.namespace, a.selector(), nil); err != nil {
		return err
	}
	a.mu.Lock()
	ending := []*generation{a.current, a.former}
	a.current, a.former = nil, nil
	for _, g := range ending {
		if g != nil {
			g.kept = false
			defer a.space.forget(g.launch)
		}
	}
	a.mu.Unlock()
	if err := a.publishing.Acquire(ctx); err != nil {
		return err
	}
	a.published = ""
	a.publishing.Release()
	defer a.commands.End()()
	if err := a.clear(ctx); err != nil {
		return err
	}
	a.left = nil
	if err := a.gone(ctx); err != nil {
		return err
	}
	close(a.late)
	a.drains.Wait()
	a.late = make(chan struct{})
	return nil
}

// clear removes all objects of the app but the volume, the Secrets last: by them, a
// later platform finds what this one has left.
func (a *application) clear(ctx context.Context) error {
	api, of := a.runner.api, a.selector()
	err := errors.Join(
		api.removeAll(ctx, deployments, a.namespace, of), api.removeAll(ctx, pods, a.namespace, of+","+labelCommand),
		api.remove(ctx, services, a.namespace, a.prefix), api.remove(ctx, budgets, a.namespace, a.prefix), a.unroute(ctx),
	)
	if err != nil {
		return err
	}
	return api.removeAll(ctx, secrets, a.namespace, of)
}

// gone waits until the app has no pods.
func (a *application) gone(ctx context.Context) error {
	return await(ctx, func() (bool, error) {
		var left corev1.PodList
		err := a.runner.api.list(ctx, pods, a.namespace, a.selector(), &left)
		return len(left.Items) == 0, err
	})
}

// removeVolume removes the volume of the app's data, and waits until it is gone: a claim
// that is being deleted can't be used.
func (a *application) removeVolume(ctx context.Context) error {
	api := a.runner.api
	if a.runner.o.StorageClass == "" {
		return nil
	}
	if err := api.remove(ctx, claims, a.namespace, a.prefix); err != nil {
		return err
	}
	return await(ctx, func() (bool, error) {
		err := api.get(ctx, claims, a.namespace, a.prefix, nil)
		if notFound(err) {
			return true, nil
		}
		return false, err
	})
}

// awaitEvery is how often await asks.
const awaitEvery = 200 * time.Millisecond

// await waits until something is done.
func await(ctx context.Context, done func() (bool, error)) error {
	look := time.NewTicker(awaitEvery)
	defer look.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// identity identifies what the pods of a version are made of, for the next platform. Where
// this one has its files does not matter to them.
func identity(v runner.Version) string {
	v.Root, v.Node, v.Path = "", "", nil
	return v.Fingerprint()
}

// formerIdentity is the identity that earlier versions of the program have given to a
// version. It has the fields of their time: one that is added since needs the tag omitzero.
func formerIdentity(v runner.Version) string {
	v.Order, v.Snapshots, v.Root, v.Node, v.Path = "", nil, "", "", nil
	text, err := json.Marshal(v)
	if err != nil { // never: it has only text and numbers
		return ""
	}
	sum := hmac.New(sha256.New, []byte(v.User+"/"+v.App))
	_, _ = sum.Write(text)
	return hex.EncodeToString(sum.Sum(nil))
}
