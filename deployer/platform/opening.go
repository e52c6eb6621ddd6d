package platform

import (
	"context"
	"errors"
	"sync"
	"time"
)

// opening is the rest of a start, which is done when what the apps run on is reachable.
type opening struct {
	cancel  context.CancelFunc
	done    chan struct{}
	settled chan struct{} // closed when it is done, or is known to wait

	mu   sync.Mutex
	last error // why it is not open
}

// The pauses between tries, and how long Start waits for what is reachable.
const (
	firstReach = 100 * time.Millisecond
	lastReach  = 5 * time.Second
	openLimit  = 30 * time.Second
)

// openLater opens the platform when e is reachable.
func (p *Platform) openLater(e elsewhere) *opening {
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // ends with the platform
	o := &opening{cancel: cancel, done: make(chan struct{}), settled: make(chan struct{})}
	apps := p.apps
	settle := sync.OnceFunc(func() { close(o.settled) })
	go func() {
		defer close(o.done)
		defer settle()
		if !p.reach(ctx, e, o, settle) {
			return
		}
		o.wait(errors.New("the apps that ran are being taken over; the log says what keeps them from it"))
		// Without the mutex: it takes as long as the apps are not reachable again.
		if err := apps.Resume(ctx); err != nil && ctx.Err() == nil {
			p.o.Fail(err)
			return
		}
		if ctx.Err() != nil {
			return
		}
		e.EndOthers(ctx)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.open()
	}()
	return o
}

// reach waits until e is reachable; it reports false if ctx has ended.
func (p *Platform) reach(ctx context.Context, e elsewhere, o *opening, settle func()) bool {
	pause := firstReach
	for {
		err := e.Reachable(ctx)
		first := o.failure() == nil
		o.wait(err)
		if err == nil {
			if !first {
				p.o.Logger.InfoContext(ctx, "what runs the apps is reachable: the platform starts")
			}
			return ctx.Err() == nil
		}
		if ctx.Err() != nil {
			return false
		}
		if first {
			p.o.Logger.WarnContext(ctx, "what runs the apps is not reachable: the platform starts when it is", "error", err)
		}
		settle()
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
		pause = min(2*pause, lastReach)
	}
}

// wait sets why the platform is not open.
func (o *opening) wait(reason error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = reason
}

// failure returns why the platform is not open.
func (o *opening) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last
}

// settle waits until the platform is open, or is known to wait for that, and begins to
// serve. Until then connections wait: a restart costs no request.
func (p *Platform) settle(ctx context.Context) {
	p.mu.RLock()
	o := p.opening
	p.mu.RUnlock()
	if o == nil {
		return
	}
	limit := time.NewTimer(openLimit)
	defer limit.Stop()
	select {
	case <-o.settled:
	case <-limit.C:
	case <-ctx.Done():
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.apiServer != nil { // it was not stopped
		p.serve(p.AppsHandler(), p.APIHandler())
	}
}

// stopOpening ends the rest of a start.
func (p *Platform) stopOpening() {
	p.mu.RLock()
	o := p.opening
	p.mu.RUnlock()
	if o != nil {
		o.cancel()
		<-o.done
	}
}
