package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/status"
	"github.com/nodejitsu/webhooks/httpapi"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	os.Exit(m.Run())
}

const (
	uuid    = "0192f0c1-7a3e-7cc1-a2b3-0123456789ab"
	entryID = "2b3de47c2ce04a9dda4d31aac5000bab"
	commit  = "96410ed970f6224a4cd3c450150c5d65bbc77fcd"
	secret  = "hunter2-canary"
)

type fakeDeploy struct {
	admit     error
	deliver   func(ctx context.Context, r deploy.Request) (deploy.Receipt, error)
	wait      func(ctx context.Context, id string) (core.Change, error)
	release   func(user, id string) (core.Change, error)
	redeliver func(user, id, uuid string) (core.Change, error)
	cancel    func(user, id string) (core.Change, error)
}

func (f fakeDeploy) Admit() error { return f.admit }

func (f fakeDeploy) Deliver(ctx context.Context, r deploy.Request) (deploy.Receipt, error) {
	return f.deliver(ctx, r)
}

func (f fakeDeploy) Wait(ctx context.Context, id string) (core.Change, error) { return f.wait(ctx, id) }

func (f fakeDeploy) Release(_ context.Context, user, id string) (core.Change, error) {
	return f.release(user, id)
}

func (f fakeDeploy) Redeliver(_ context.Context, user, id, uuid string) (core.Change, error) {
	return f.redeliver(user, id, uuid)
}

func (f fakeDeploy) Cancel(_ context.Context, user, id string) (core.Change, error) {
	return f.cancel(user, id)
}

type fakeStatus struct {
	list  func(user, app string, skip, limit int) ([]core.Entry, int, error)
	entry func(user, id string) (core.Change, error)
}

func (f fakeStatus) List(_ context.Context, user, app string, skip, limit int) ([]core.Entry, int, error) {
	return f.list(user, app, skip, limit)
}

func (f fakeStatus) Entry(_ context.Context, user, id string) (core.Change, error) {
	return f.entry(user, id)
}

func (f fakeStatus) Subscribe(context.Context, string, status.Since) (*status.Reader, error) {
	return nil, core.NewError(core.CodeStatusQueryFail, "", errors.New("disk on fire"))
}

// fakeAuth knows the users dscape and indexzero, with the one password.
type fakeAuth struct {
	httpapi.Account // panics for what a test does not set

	pair func(user string, p auth.Pair) (auth.Pairing, error)
}

func (f fakeAuth) Authenticate(_ context.Context, c *core.Credentials) (core.Account, error) {
	switch {
	case c == nil:
		return core.Account{}, core.NewError(core.CodeUnauthorized, "", nil)
	case c.Username == "down":
		return core.Account{}, core.NewError(core.CodeAuthServerDown, "", errors.New("connection refused"))
	case c.Username == "nameless":
		return core.Account{}, core.NewError(core.CodeNoUsername, "", nil)
	case c.Password.Reveal() != secret:
		return core.Account{}, core.NewError(core.CodeUnauthorized, "", nil)
	}
	return core.Account{Username: c.Username}, nil
}

func (f fakeAuth) Authorize(ctx context.Context, c *core.Credentials, user string) (core.Account, error) {
	account, err := f.Authenticate(ctx, c)
	if err == nil && account.Username != user {
		err = core.NewError(core.CodeNotYou, "", nil)
	}
	return account, err
}

func (f fakeAuth) Pair(_ context.Context, user string, p auth.Pair) (auth.Pairing, error) {
	return f.pair(user, p)
}

// newAPI returns an API whose use cases are those that change sets.
func newAPI(t *testing.T, change func(o *httpapi.Options)) *httpapi.API {
	t.Helper()
	o := httpapi.Options{
		Deploy: fakeDeploy{}, Status: fakeStatus{}, Auth: fakeAuth{},
		NewUUID: func() string { return uuid },
	}
	if change != nil {
		change(&o)
	}
	return httpapi.New(o)
}

// request makes a request; each header is "Name: value".
func request(t *testing.T, method, target, body string, headers ...string) *http.Request {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, target, reader)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	return r
}

// as is the header of a user who knows the password.
func as(user string) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, secret)
	return "Authorization: " + r.Header.Get("Authorization")
}

func serve(api *httpapi.API, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	api.Handler().ServeHTTP(w, r)
	return w
}

// changeOf returns a change of an entry like the seed's.
func changeOf(state core.Status) core.Change {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	e := core.Entry{
		ID: entryID, Revision: 2, UUID: uuid, User: "dscape", App: "hello-world-api-flatiron", Status: state,
		Provider: core.ProviderTravis, Kind: core.EventBuild, Event: "push",
		Repository: core.Repository{Owner: "dscape", Name: "hello-world-flatiron-api"},
		Commit:     core.Commit{ID: commit, Message: "a <b> & c"},
		Steps:      []core.Step{}, CreatedAt: at, UpdatedAt: at,
	}
	switch state {
	case core.StatusError:
		e.Error = &core.EntryError{Code: core.CodeUploadTarball, Reason: "Failed to upload the tarball to nodejitsu", Detail: "503"}
	case core.StatusIgnored, core.StatusSkipped:
		e.Reason = "The push is to another branch"
	case core.StatusHeld:
		e.Hold = &core.Hold{For: "Travis CI", Until: at.Add(30 * time.Minute)}
	}
	return core.Change{Seq: core.Seq{Millis: 1764000000000, N: 3}, Entry: e}
}

// changeLog is a user's change log.
type changeLog struct {
	mu      sync.Mutex
	changes []core.Change
	cut     core.Seq
	wakes   map[chan struct{}]bool
}

func (l *changeLog) Changes(_ context.Context, _ string, since core.Seq, limit int) ([]core.EncodedChange, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !since.IsZero() && since.Compare(l.cut) < 0 {
		return nil, fmt.Errorf("log: %w", core.ErrGone)
	}
	if since.Compare(l.cut) < 0 {
		since = l.cut
	}
	var found []core.EncodedChange
	for _, c := range l.changes[l.after(since):] {
		if len(found) == limit {
			break
		}
		encoded, err := core.EncodeChange(c)
		if err != nil {
			return nil, err
		}
		found = append(found, encoded)
	}
	return found, nil
}

// after returns the index of the first change after since.
func (l *changeLog) after(since core.Seq) int {
	return sort.Search(len(l.changes), func(i int) bool { return l.changes[i].Seq.Compare(since) > 0 })
}

func (l *changeLog) Bounds(context.Context, string) (oldest, newest core.Seq, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if kept := l.changes[l.after(l.cut):]; len(kept) > 0 {
		oldest = kept[0].Seq
	}
	if n := len(l.changes); n > 0 {
		newest = l.changes[n-1].Seq
	}
	return oldest, newest, nil
}

func (l *changeLog) Watch(string) (<-chan struct{}, func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wake := make(chan struct{}, 1)
	if l.wakes == nil {
		l.wakes = map[chan struct{}]bool{}
	}
	l.wakes[wake] = true
	return wake, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.wakes, wake)
	}
}

// add appends a change with seq "n-0".
func (l *changeLog) add(n uint64, state core.Status, edit func(e *core.Entry)) {
	c := changeOf(state)
	c.Seq = core.Seq{Millis: n}
	if edit != nil {
		edit(&c.Entry)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes = append(l.changes, c)
	for wake := range l.wakes {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// feedOver returns a running status use case over l that the test stops.
func feedOver(t *testing.T, l status.Feed, o status.Options) *status.Service {
	t.Helper()
	o.Feed = l
	s := status.New(o)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return s
}

// records keeps log lines.
type records struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *records) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *records) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func (r *records) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// logTo returns a logger that gives its lines to f.
func logTo(f func(line string)) *slog.Logger {
	return slog.New(slog.NewJSONHandler(lineWriter(f), nil))
}

type lineWriter func(line string)

func (w lineWriter) Write(p []byte) (int, error) {
	w(string(p))
	return len(p), nil
}
