package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// builder is a Platform whose build prints a line a second.
type builder struct {
	*coretest.Platform
	lines   int
	slowest time.Duration // write of a line
}

func (b *builder) Upload(ctx context.Context, user string, pkg deploy.Package, snapshot string, body io.Reader, out io.Writer) error {
	for i := range b.lines {
		<-time.After(time.Second)
		begin := time.Now()
		if _, err := fmt.Fprintf(out, "line %d\n", i); err != nil {
			return err
		}
		b.slowest = max(b.slowest, time.Since(begin))
	}
	return b.Platform.Upload(ctx, user, pkg, snapshot, body, out)
}

// stalling is a store that does not answer an update once.
type stalling struct {
	*coretest.Memory
	stall atomic.Bool
}

func (s *stalling) Update(ctx context.Context, e core.Entry, claim int) (core.Change, error) {
	if strings.Contains(e.Output, "line 1") && s.stall.CompareAndSwap(false, true) {
		<-ctx.Done()
		return core.Change{}, ctx.Err()
	}
	return s.Memory.Update(ctx, e, claim)
}

// The output of a build is shown while it runs, and a store that does not answer
// does not make the build wait.
func TestBuildOutput(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		store, platform := &stalling{Memory: w.store}, &builder{Platform: w.platform, lines: 10}
		o := w.options
		o.Store, o.Platform = store, platform
		w.service, w.worker = deploy.New(o), deploy.NewWorker(o)
		w.start()
		id := w.deliver(w.push(commit1))
		if e := w.after(6500*time.Millisecond, id); !strings.Contains(e.Output, "line 4\n") {
			t.Errorf("after 6 s it shows %q", e.Output)
		}
		e := w.after(time.Minute, id)
		w.is(e, core.StatusOK, "")
		if !strings.HasPrefix(e.Output, "line 0\n") || !strings.HasSuffix(e.Output, "line 9\nbuilt 1.0.0-111111111111\n") {
			t.Errorf("in the end it shows %q", e.Output)
		}
		if platform.slowest > 0 || !store.stall.Load() {
			t.Errorf("a line took %s; the store stalled: %t", platform.slowest, store.stall.Load())
		}
		changes, err := coretest.Changes(w.t.Context(), w.store, "dscape", core.Seq{}, 100)
		if err != nil || len(changes) < 10 {
			t.Errorf("got %d changes, %v", len(changes), err)
		}
	})
}

// An attempt that is aborted while its build prints is requeued at once.
func TestStopWhileTheBuildPrints(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		o := w.options
		o.Platform = &endlessBuilder{w.platform}
		w.worker = deploy.NewWorker(o)
		w.start()
		id := w.deliver(w.push(commit1))
		w.is(w.after(5*time.Second, id), core.StatusPending, "")
		ctx, cancel := context.WithCancelCause(w.t.Context())
		cancel(errors.New("now"))
		if err := w.worker.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		e := w.settled(id)
		w.is(e, core.StatusPending, "Interrupted by a restart")
		if !strings.Contains(e.Output, "line\n") {
			t.Errorf("it shows %q", e.Output)
		}
	})
}

// endlessBuilder is a Platform whose build prints until it is aborted.
type endlessBuilder struct{ *coretest.Platform }

func (endlessBuilder) Upload(ctx context.Context, _ string, _ deploy.Package, _ string, _ io.Reader, out io.Writer) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(300 * time.Millisecond):
			if _, err := io.WriteString(out, "line\n"); err != nil {
				return err
			}
		}
	}
}
