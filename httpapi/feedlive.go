package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
)

// liveFeeds are the feeds whose connections were taken over from net/http.
//
// Thousands of clients may read the same feed. If each had a goroutine that
// waits for changes, writes them and sets a deadline, that would cost most of
// the time, and the buffers of net/http most of the memory. So a feed that has
// nothing to write joins a view: the feeds of one user that are written in the
// same form. One goroutine for each view writes each batch of changes, encoded
// once, to all of them, as far as a connection accepts it at once. A feed whose
// client is slower leaves the view and gets a goroutine of its own, until it
// has caught up.
//
//	request ──run──▶ idle ──takeOver──▶ view ──client is slow──▶ own goroutine
//	                                      ▲───────idle, level──────────┘
//
// A goroutine that does nothing but wait for the end of the connection notices
// clients that leave.
type liveFeeds struct {
	a       *API
	running sync.WaitGroup // feeds
	next    atomic.Uint32  // for the next feed's shard

	mu     sync.Mutex
	views  map[viewKey]*view
	closed bool // no more feeds are taken over
}

// viewKey is what the feeds of a view have in common.
type viewKey struct {
	user     string
	form     feedForm
	app      string
	statuses string
	shard    uint32 // so that there is a view for each core
}

// liveFeed is a feed with a connection of its own.
type liveFeed struct {
	*feed
	key    viewKey
	conn   *connOutput
	raw    syscall.RawConn // nil: it can't be in a view
	ctx    context.Context // ends when the client has gone
	cancel context.CancelFunc
	began  time.Time

	// view is where it is written; nil while it has a goroutine of its own. It
	// changes under the lock of the view that it was in, or gets into.
	view  atomic.Pointer[view]
	dueAt time.Time // in the view's heap, at the latest
	index int       // in the heap
}

// canTakeOver reports whether a request's connection can be taken over: HTTP/1.1
// without TLS has nothing between us and the connection but chunks.
func canTakeOver(c *gin.Context) bool {
	_, ok := below(c.Writer).(http.Hijacker)
	return ok && canTryWrite && c.Request.TLS == nil && c.Request.ProtoMajor == 1 && c.Request.ProtoAtLeast(1, 1)
}

// admit registers a feed that is about to be taken over. It returns false if feeds
// are ending.
func (l *liveFeeds) admit() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.running.Add(1)
	}
	return !l.closed
}

// wait admits no more feeds and returns when those there are have ended.
func (l *liveFeeds) wait() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.running.Wait()
}

// takeOver takes the connection of a feed that is idle. The feed is closed when
// it ends.
func (l *liveFeeds) takeOver(c *gin.Context, f *feed) {
	conn, _, err := http.NewResponseController(below(c.Writer)).Hijack()
	if err != nil {
		f.close()
		l.a.feeds.Add(-1)
		l.running.Done()
		l.a.o.Logger.ErrorContext(c.Request.Context(), "feed connection not taken over", "uuid", f.uuid, "error", err)
		panic(http.ErrAbortHandler)
	}
	statuses := make([]string, len(f.query.statuses))
	for i, s := range f.query.statuses {
		statuses[i] = string(s)
	}
	lf := &liveFeed{
		feed: f, conn: &connOutput{conn: conn, timeout: l.a.o.WriteTimeout}, began: time.Now(),
		key: viewKey{
			user: f.user, form: f.form, app: f.query.app, statuses: strings.Join(statuses, ","),
			shard: l.next.Add(1) % uint32(runtime.GOMAXPROCS(0)), //nolint:gosec // there are not so many cores
		},
	}
	lf.out = lf.conn
	lf.ctx, lf.cancel = context.WithCancel(context.Background()) //nolint:forbidigo // the request has ended; it ends with the connection
	if s, ok := conn.(syscall.Conn); ok {
		lf.raw, _ = s.SyscallConn() // without it, the feed has a goroutine of its own
	}
	lf.live = lf.raw != nil
	go l.watch(lf)
	if !lf.live || !l.join(lf) {
		go l.run(lf, nil)
	}
}

// watch waits until the client has gone.
func (l *liveFeeds) watch(f *liveFeed) {
	var b [1]byte
	// A client may send nothing more. If it does, it is read, up to a limit.
	for range 4 << 10 {
		if _, err := f.conn.conn.Read(b[:]); err != nil {
			break
		}
	}
	f.cancel() // ends run
	for v := f.view.Load(); v != nil; v = f.view.Load() {
		if v.leave(f) {
			l.end(f, nil)
			return
		}
	}
}

// run writes rest, and then changes until the feed is idle and back in a view,
// or ends.
func (l *liveFeeds) run(f *liveFeed, rest []byte) {
	defer func() {
		if caught := recover(); caught != nil {
			l.panicked(caught)
			f.broken = true
			l.end(f, nil)
		}
	}()
	if err := f.conn.writeRaw(rest); err != nil {
		f.broken = true
		l.end(f, core.NewError(core.CodeChangesFatal, "", err))
		return
	}
	for {
		idle, err := f.run(f.ctx)
		if !idle {
			l.end(f, err)
			return
		}
		if l.join(f) {
			return
		}
	}
}

func (l *liveFeeds) panicked(caught any) {
	l.a.o.Logger.Error("feed panicked", "panic", fmt.Sprint(caught), "stack", string(debug.Stack()))
}

// end closes a feed that is in no view, because of err, or if that is nil,
// because its client has gone.
func (l *liveFeeds) end(f *liveFeed, err error) {
	defer l.running.Done()
	code := ""
	if err != nil {
		why := l.a.failure(f.ctx, f.uuid, err)
		code = string(why.Error)
		if !f.broken && f.last(why) == nil {
			_ = f.conn.end()
		}
	}
	_ = f.conn.conn.Close()
	f.cancel()
	f.close()
	l.a.feeds.Add(-1)
	l.a.o.Logger.Info("feed ended", "uuid", f.uuid, "user", f.user, "code", code,
		"duration_ms", time.Since(f.began).Milliseconds())
}

// join adds a feed to its view. It returns false if the feed has to look for
// changes first, or its client has gone.
func (l *liveFeeds) join(f *liveFeed) bool {
	l.mu.Lock()
	v := l.views[f.key]
	if v == nil {
		reader, ok := f.reader.Clone()
		if !ok {
			l.mu.Unlock()
			return false // the user's feed has ended, as f.run will see
		}
		v = newView(l, f, reader)
		l.views[f.key] = v
		l.running.Go(v.run)
	}
	v.joining++
	l.mu.Unlock()
	joined := v.join(f)
	l.mu.Lock()
	defer l.mu.Unlock()
	v.joining--
	v.signal()
	return joined
}

// drop removes a view that has no feeds. It returns false if it has some, or
// soon will have.
func (l *liveFeeds) drop(v *view) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.joining > 0 || len(v.feeds) > 0 {
		return false
	}
	l.forget(v)
	return true
}

// forget makes the next feed get a new view. l.mu is held.
func (l *liveFeeds) forget(v *view) {
	if l.views[v.key] == v {
		delete(l.views, v.key)
	}
}
