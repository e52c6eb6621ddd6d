package deploy_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/coretest"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// away is a Memory that can't be reached until a time.
type away struct {
	*coretest.Memory
	until time.Time
}

func (a *away) err() error {
	if time.Now().Before(a.until) {
		return errors.New("connection refused")
	}
	return nil
}

func (a *away) Update(ctx context.Context, e core.Entry, claim int) (core.Change, error) {
	if err := a.err(); err != nil {
		return core.Change{}, err
	}
	return a.Memory.Update(ctx, e, claim)
}

func (a *away) Requeue(ctx context.Context, e core.Entry, claim int, p deploy.Place) (core.Change, error) {
	if err := a.err(); err != nil {
		return core.Change{}, err
	}
	return a.Memory.Requeue(ctx, e, claim, p)
}

func (a *away) Finish(ctx context.Context, e core.Entry, claim int) (core.Change, error) {
	if err := a.err(); err != nil {
		return core.Change{}, err
	}
	return a.Memory.Finish(ctx, e, claim)
}

func (a *away) Claim(ctx context.Context, lease time.Duration) (deploy.Claim, bool, time.Time, error) {
	if err := a.err(); err != nil {
		return deploy.Claim{}, false, time.Time{}, err
	}
	return a.Memory.Claim(ctx, lease)
}

func (a *away) Renew(ctx context.Context, c deploy.Claim, lease time.Duration) (string, error) {
	if err := a.err(); err != nil {
		return "", err
	}
	return a.Memory.Renew(ctx, c, lease)
}

func (a *away) ClaimApp(ctx context.Context, c deploy.Claim, app string) (string, bool, error) {
	if err := a.err(); err != nil {
		return "", false, err
	}
	return a.Memory.ClaimApp(ctx, c, app)
}

func (a *away) Backlog(ctx context.Context) (deploy.Backlog, error) {
	if err := a.err(); err != nil {
		return deploy.Backlog{}, err
	}
	return a.Memory.Backlog(ctx)
}

// atUpload is a Platform during whose upload the store goes away.
type atUpload struct {
	*coretest.Platform
	begin func()
}

func (p *atUpload) Upload(ctx context.Context, user string, pkg deploy.Package, snapshot string, body io.Reader, out io.Writer) error {
	p.begin()
	return p.Platform.Upload(ctx, user, pkg, snapshot, body, out)
}

// A store that goes away in the middle: for a moment, and the deployment goes
// on; for longer than the claim lasts, and it is taken up again. It is never
// the deployment that failed.
func TestStoreAwayInTheMiddle(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		outage   time.Duration
		attempts int
	}{
		"for a moment":          {5 * time.Second, 1},
		"for almost the lease":  {15 * time.Second, 1},
		"for longer than that":  {40 * time.Second, 2},
		"for several such time": {5 * time.Minute, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				store := &away{Memory: w.store}
				gone := false
				o := w.options
				o.Store, o.Queue = store, store
				o.Platform = &atUpload{w.platform, func() {
					if !gone {
						gone, store.until = true, time.Now().Add(test.outage)
					}
				}}
				o.Lease = 30 * time.Second
				w.service, w.worker = deploy.New(o), deploy.NewWorker(o)
				w.start()
				e := w.after(10*time.Minute, w.deliver(w.push(commit1)))
				w.is(e, core.StatusOK, "")
				if e.Attempts != test.attempts {
					t.Errorf("got %d attempts, want %d", e.Attempts, test.attempts)
				}
				if n := w.platform.Overlaps(); n != 0 {
					t.Errorf("%d were at the app at once", n)
				}
			})
		})
	}
}

// unanswered is a store whose answers to saves get lost, each first one. What is
// asked again must be the same, or the store cannot know it.
type unanswered struct {
	*coretest.Memory
	asked []core.Entry
}

func (d *unanswered) lost(e core.Entry) bool {
	d.asked = append(d.asked, e.Clone())
	return len(d.asked)%2 == 1
}

func (d *unanswered) Update(ctx context.Context, e core.Entry, claim int) (core.Change, error) {
	if d.lost(e) {
		return core.Change{}, errors.New("the answer was lost")
	}
	return d.Memory.Update(ctx, e, claim)
}

func (d *unanswered) Finish(ctx context.Context, e core.Entry, claim int) (core.Change, error) {
	if d.lost(e) {
		return core.Change{}, errors.New("the answer was lost")
	}
	return d.Memory.Finish(ctx, e, claim)
}

func TestSaveAgainIsTheSame(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		store := &unanswered{Memory: w.store}
		o := w.options
		o.Store, o.Queue = store, store
		w.service, w.worker = deploy.New(o), deploy.NewWorker(o)
		w.start()
		w.is(w.after(10*time.Minute, w.deliver(w.push(commit1))), core.StatusOK, "")
		for i := 0; i+1 < len(store.asked); i += 2 {
			if !reflect.DeepEqual(store.asked[i], store.asked[i+1]) {
				t.Errorf("got %+v\nand then %+v", store.asked[i], store.asked[i+1])
			}
		}
	})
}

// hangingStore takes as long for a delivery as it may.
type hangingStore struct{ *coretest.Memory }

func (hangingStore) Accept(ctx context.Context, _ deploy.Acceptance) (core.Change, bool, error) {
	<-ctx.Done()
	return core.Change{}, false, ctx.Err()
}

// A sender is not kept waiting by a store that does not answer.
func TestStoreThatHangsAccepts(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.options.Store = hangingStore{w.store}
		begin := time.Now()
		_, err := deploy.New(w.options).Deliver(w.t.Context(), w.request(w.push(commit1)))
		if took := time.Since(begin); core.CodeOf(err) != core.CodeFailedToStorePayload || took != 2*time.Second {
			t.Errorf("got %v after %s, want %s after 2 s", err, took, core.CodeFailedToStorePayload)
		}
	})
}

// In an outage of the queue one line is logged, and not one for each attempt to claim.
func TestOutageOfTheQueueIsLoggedOnce(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		var log bytes.Buffer
		w.options.Logger = slog.New(slog.NewTextHandler(&log, nil))
		w.options.Queue = &away{w.store, time.Now().Add(time.Minute)}
		worker := deploy.NewWorker(w.options)
		if err := worker.Start(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		<-time.After(2 * time.Minute) // of the bubble
		if err := worker.Stop(w.t.Context()); err != nil {
			w.t.Error(err)
		}
		if n := strings.Count(log.String(), "claiming failed"); n != 1 {
			w.t.Errorf("%d lines were logged:\n%s", n, &log)
		}
	})
}
