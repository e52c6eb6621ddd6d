package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi/serve"
	"github.com/nodejitsu/webhooks/httpapi/serve/episode"
	"github.com/nodejitsu/webhooks/httpapi/serve/throttle"
)

// Options are what [New] takes. Deploy, Status, Auth and NewUUID are required;
// everything else has a default.
type Options struct {
	Deploy  Deploy
	Status  Status
	Auth    Auth
	Connect Connect
	NewUUID func() string // a fresh UUID, version 7, for each request

	Version       string        // of the API, semantic; "1.0.0"
	BaseURL       string        // scheme and host of links, such as "https://example.com"; "": those of the request
	Proxies       serve.Proxies // whose X-Forwarded-For and -Proto are believed; none
	Wait          time.Duration // how long the response to a delivery waits for the outcome; 8 s, negative: not at all
	MaxWait       time.Duration // what a client may ask for instead; 60 s
	WriteTimeout  time.Duration // for one write to the reader of a feed; 10 s
	MaxFeeds      int           // feeds at a time; 10,000
	MaxDeliveries int           // deliveries that are being accepted at a time; 256
	MaxWaiting    int           // deliveries that wait for these; more are refused at once; 2,048, but 128 for two seconds after a refusal
	BodyMemory    int64         // memory of the bodies of all requests, with their copies, in bytes; 256 MiB

	// Dashboard serves the pages for browsers; nil: there are none.
	Dashboard Dashboard

	// Logins throttles clients that guess credentials; default: one of its own.
	Logins *throttle.Throttle

	// Ready fails if the service can't do its work; nil: it always can.
	Ready func(ctx context.Context) error

	// Warnings returns what an operator should look at although the service can do
	// its work, a sentence each; nil: nothing.
	Warnings func() []string

	Observer Observer // default: none

	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Version == "" {
		o.Version = "1.0.0"
	}
	if o.Wait == 0 {
		o.Wait = 8 * time.Second
	}
	if o.MaxWait <= 0 {
		o.MaxWait = time.Minute
	}
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = 10 * time.Second
	}
	if o.MaxFeeds <= 0 {
		o.MaxFeeds = 10_000
	}
	if o.MaxDeliveries <= 0 {
		o.MaxDeliveries = 256
	}
	if o.MaxWaiting <= 0 {
		o.MaxWaiting = 2048
	}
	if o.BodyMemory <= 0 {
		o.BodyMemory = 256 << 20
	}
	if o.Logins == nil {
		o.Logins = throttle.New(throttle.Options{})
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// API is the HTTP API. It may be used concurrently.
type API struct {
	o       Options
	baseURL string // without a trailing slash
	invalid error  // of Options
	engine  *gin.Engine

	bodies     memoryBudget
	deliveries *admission

	throttled429, shed503 *episode.Episode // what is logged of refused requests
	failedMu              sync.Mutex
	failed                map[core.Code]*episode.Episode // and of those that failed

	cross *http.CrossOriginProtection

	draining atomic.Bool
	feeds    atomic.Int64
	live     liveFeeds
	badges   badges
	ending   context.Context // ends with the feeds
	end      context.CancelFunc
	buffers  sync.Pool // of *[]byte: what feeds write from
}

// New returns an API. [API.Validate] reports an invalid base URL, which is not used.
func New(o Options) *API {
	a := &API{o: o.withDefaults(), engine: gin.New(), cross: http.NewCrossOriginProtection()}
	a.bodies.total = a.o.BodyMemory
	a.deliveries = newAdmission(a.o.MaxDeliveries, a.o.MaxWaiting)
	a.failed = map[core.Code]*episode.Episode{}
	a.throttled429 = episode.New(a.o.Logger, slog.LevelWarn, "logins throttled")
	a.shed503 = episode.New(a.o.Logger, slog.LevelWarn, "requests refused as unavailable")
	a.ending, a.end = context.WithCancel(context.Background()) //nolint:forbidigo // ends by EndFeeds alone
	a.buffers.New = func() any { return new([]byte) }
	a.live = liveFeeds{a: a, views: map[viewKey]*view{}}
	a.baseURL, a.invalid = parseBaseURL(o.BaseURL)

	e := a.engine
	e.RedirectTrailingSlash = false // GitHub follows no redirect
	e.HandleMethodNotAllowed = true
	e.Use(a.identify, a.log, a.catch, a.shed)
	e.NoRoute(a.handle(a.badge))
	e.NoMethod(a.handle(func(*gin.Context) error { return core.NewError(core.CodeHTTPMethodNotAllowed, "", nil) }))
	for _, r := range a.routes() {
		if r.unknown {
			continue
		}
		for _, path := range spellings(r.path) {
			e.Handle(r.method, path, a.handle(r.handler))
			if r.method == http.MethodGet { // net/http leaves the body out of the answer
				e.Handle(http.MethodHead, path, a.handle(r.handler))
			}
		}
	}
	a.serveDocs()
	if a.o.Dashboard != nil {
		a.serveDashboard()
	}
	return a
}

// Handler returns the API as a handler, for a server of the caller's.
func (a *API) Handler() http.Handler { return a.engine }

// Validate returns what is wrong with the Options.
func (a *API) Validate() error { return a.invalid }

// Drain makes /readyz say that no more requests should be sent here, and waits
// for balancers in front to notice: for d, or until ctx ends.
func (a *API) Drain(ctx context.Context, d time.Duration) {
	a.draining.Store(true)
	if d <= 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// EndFeeds ends all feeds, each with a last line, and the waiting of deliveries
// for their outcomes. It returns when the feeds have ended that net/http does
// not know of, or ctx ends. New feeds are refused from then on.
func (a *API) EndFeeds(ctx context.Context) {
	a.end()
	ended := make(chan struct{})
	go func() { // ends with the feeds, of which each write has a time limit
		a.live.wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// handler responds to a request, or returns an error to respond with.
type handler func(c *gin.Context) error

type route struct {
	method, path string // a route for GET is one for HEAD too
	handler      handler
	unknown      bool // to Gin, whose parameters are whole segments: the handler for unknown paths serves it
}

func (a *API) routes() []route {
	return []route{
		{method: http.MethodPost, path: "/", handler: a.deploy},
		{method: http.MethodPost, path: "/1/deploy", handler: a.deploy},
		{method: http.MethodGet, path: "/1/status/:user/webhooks", handler: a.list},
		{method: http.MethodGet, path: "/1/status/:user/webhooks/:app", handler: a.list},
		{method: http.MethodGet, path: "/1/status/:user/changes", handler: a.changes},
		{method: http.MethodGet, path: "/1/status/:user/changes/:id", handler: a.entry},
		{method: http.MethodPost, path: "/1/status/:user/changes/:id/release", handler: a.release},
		{method: http.MethodPost, path: "/1/status/:user/changes/:id/redeliver", handler: a.redeliver},
		{method: http.MethodDelete, path: "/1/status/:user/changes/:id", handler: a.cancel},
		{method: http.MethodPost, path: "/1/auth/:forge", handler: a.pair},
		{method: http.MethodPost, path: "/1/connect/:forge", handler: a.connect},
		{method: http.MethodPut, path: "/1/users/:user", handler: a.updateUser},
		{method: http.MethodGet, path: "/1/users/:user/tokens", handler: a.listTokens},
		{method: http.MethodPost, path: "/1/users/:user/tokens", handler: a.addToken},
		{method: http.MethodDelete, path: "/1/users/:user/tokens/:name", handler: a.removeToken},
		{method: http.MethodGet, path: "/1/users/:user/secrets", handler: a.listSecrets},
		{method: http.MethodPost, path: "/1/users/:user/secrets", handler: a.addSecret},
		{method: http.MethodPut, path: "/1/users/:user/secrets/:name", handler: a.changeSecret},
		{method: http.MethodDelete, path: "/1/users/:user/secrets/:name", handler: a.removeSecret},
		{method: http.MethodGet, path: "/1/users/:user/notifications", handler: a.listNotifications},
		{method: http.MethodPost, path: "/1/users/:user/notifications", handler: a.addNotification},
		{method: http.MethodPost, path: "/1/users/:user/notifications/:name/test", handler: a.testNotification},
		{method: http.MethodDelete, path: "/1/users/:user/notifications/:name", handler: a.removeNotification},
		{method: http.MethodGet, path: "/:user/:repository.svg", handler: a.badge, unknown: true},
		{method: http.MethodGet, path: "/:user/:repository.png", handler: a.badge, unknown: true},
		{method: http.MethodGet, path: "/openapi.json", handler: a.openAPI},
		{method: http.MethodGet, path: pathHealth, handler: a.healthy},
		{method: http.MethodGet, path: "/readyz", handler: a.ready},
	}
}

// spellings returns path with and without a trailing slash.
func spellings(path string) []string {
	if path == "/" {
		return []string{path}
	}
	return []string{path, path + "/"}
}

// handle returns h as a handler of Gin.
func (a *API) handle(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := h(c); err != nil {
			a.writeError(c, err)
		}
	}
}

// parseBaseURL returns the URL without a trailing slash, "" if it is invalid.
func parseBaseURL(text string) (string, error) {
	base := strings.TrimSuffix(text, "/")
	if base == "" {
		return "", nil
	}
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || base != u.Scheme+"://"+u.Host || !serve.ValidHost(u.Host) {
		return "", fmt.Errorf("httpapi: invalid base URL %q: want https://HOST", text)
	}
	return base, nil
}
