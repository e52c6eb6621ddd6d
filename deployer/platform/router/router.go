package router

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/httpapi/serve/slowclient"
)

// tries is how many drones a request is sent to at most: a second one where
// the first did not accept the connection.
const tries = 2

// Options are the settings of a [Router]. Lookup and Pick are needed; both are
// called for each request, at once by many.
type Options struct {
	// Lookup finds the app that a host belongs to. The host is lower-case and
	// has neither a port nor a trailing dot.
	Lookup func(host string) (user, app string, ok bool)

	// Pick finds a drone of the app: its address, host:port, and what to call
	// when the request has ended.
	Pick func(user, app string) (addr string, done func(), ok bool)

	// Proxies are the addresses of proxies in front, whose X-Forwarded-For and
	// -Proto are to be believed; default: nobody's.
	Proxies []netip.Prefix

	// Stall is how long a client may stop in the midst of a request or of its
	// answer; default [slowclient.Limit].
	Stall time.Duration

	Logger *slog.Logger // default: discards
}

// Router is an http.Handler that proxies each request to a drone of the app
// that its Host names: 404 if there is no such app, 503 with Retry-After if it
// doesn't run, 502 if the drone breaks off before it has answered.
type Router struct {
	o     Options
	proxy httputil.ReverseProxy

	// A drone may close an idle connection at the very moment that a request is
	// sent over it (Node.js does so after 5 seconds). net/http sends what may
	// safely be repeated again by itself; all else gets a connection of its own.
	kept, fresh *http.Transport
}

// New returns a Router.
func New(o Options) *Router {
	o.Stall = cmp.Or(o.Stall, slowclient.Limit)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Router{o: o, kept: transport(), fresh: transport()}
	// Not DisableKeepAlives: told that no other request comes, Node.js cuts off
	// a body that it was not asked to read, and its answer with it.
	r.fresh.MaxIdleConnsPerHost = -1
	r.proxy = httputil.ReverseProxy{
		Rewrite:       r.rewrite,
		Transport:     roundTripper(r.send),
		FlushInterval: -1, // streams must not wait for a buffer to fill
		ErrorHandler:  r.fail,
		ErrorLog:      slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
		BufferPool:    &buffers{},
	}
	return r
}

func transport() *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &http.Transport{
		DialContext:         dialer.DialContext,
		DisableCompression:  true, // what the client accepts is the client's affair
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     4 * time.Second,
	}
}

// Close closes the idle connections to drones.
func (r *Router) Close() {
	r.kept.CloseIdleConnections()
	r.fresh.CloseIdleConnections()
}

// request is what ServeHTTP and send share about one request.
type request struct {
	user, app string
	known     bool   // there is such an app
	done      func() // of the drone that has it; nil while none has
}

type requestKey struct{}

// ServeHTTP proxies one request.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	state := &request{}
	state.user, state.app, state.known = r.o.Lookup(hostname(req.Host))
	x, req := slowclient.Watch(w, req.WithContext(context.WithValue(req.Context(), requestKey{}, state)), r.o.Stall)
	defer x.End()
	// Only now has the request ended: the body is sent, or the WebSocket closed.
	// It is deferred as the proxy panics where a body breaks off.
	defer func() {
		if state.done != nil {
			state.done()
		}
	}()
	r.proxy.ServeHTTP(x, req)
}

// rewrite prepares the request for the drone. The proxy has already dropped
// the headers of the connection and those that claim a forwarding.
func (r *Router) rewrite(p *httputil.ProxyRequest) {
	p.Out.URL.Scheme = "http"
	p.Out.URL.Host = "drone" // send knows the address
	p.Out.Host = p.In.Host
	p.Out.URL.RawQuery = p.In.URL.RawQuery // as it came, even where net/url can't read it
	p.SetXForwarded()
	r.believe(p.In, p.Out)
}

var (
	errUnknown    = errors.New("router: no such app")
	errNotRunning = errors.New("router: app not running") // no drone is ready
)

// send has somebody answer the request.
func (r *Router) send(req *http.Request) (*http.Response, error) {
	resp, err := r.ask(req)
	if err == nil {
		// A drone may answer what it has read while we have yet to see the body's
		// end. What we answer ourselves needs nothing of the body.
		slowclient.Of(req).Duplex()
	}
	return resp, err
}

// ask sends the request to a drone, and to another where the first doesn't
// accept the connection: then nothing of it was sent or read yet, whatever
// its method.
func (r *Router) ask(req *http.Request) (*http.Response, error) {
	state, _ := req.Context().Value(requestKey{}).(*request)
	via := r.kept
	if req.Body != nil && req.Body != http.NoBody || !repeatable(req.Method) || req.Header.Get("Upgrade") != "" {
		via = r.fresh
	}
	if !state.known {
		return nil, errUnknown
	}
	err := errNotRunning
	for range tries {
		addr, done, ok := r.o.Pick(state.user, state.app)
		if !ok {
			return nil, err
		}
		var resp *http.Response
		if resp, err = attempt(req, via, addr); err == nil { //nolint:bodyclose // the proxy closes it
			state.done = done
			return resp, nil
		}
		done()
		if !refused(err) {
			return nil, err
		}
	}
	return nil, err
}

// attempt sends the request to addr. Where that did not accept the connection
// it can be sent again.
func attempt(req *http.Request, via *http.Transport, addr string) (*http.Response, error) {
	again := req.Clone(req.Context())
	again.URL.Host = addr
	if req.Body != nil {
		again.Body = io.NopCloser(req.Body) // a failed dial closes it, and the next try needs it
	}
	return via.RoundTrip(again)
}

// refused tells whether err is that of a connection that was not made.
func refused(err error) bool {
	dial, ok := errors.AsType[*net.OpError](err)
	return ok && dial.Op == "dial"
}

func repeatable(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// fail answers where no drone did.
func (r *Router) fail(w http.ResponseWriter, req *http.Request, err error) {
	switch {
	case slowclient.Of(req).Stalled():
		say(w, http.StatusRequestTimeout, "The rest of the request did not come. Send it again.")
	case req.Context().Err() != nil:
		// The client has gone; nobody reads an answer.
		panic(http.ErrAbortHandler)
	case errors.Is(err, errUnknown):
		say(w, http.StatusNotFound, "There is no app at this address. Check the host name's spelling, and the app's subdomain and domains.")
	case errors.Is(err, errNotRunning), refused(err):
		w.Header().Set("Retry-After", "2")
		say(w, http.StatusServiceUnavailable, "The app is not running. If it is being deployed, try again in a moment; else see its state and its log.")
	default:
		r.o.Logger.Debug("drone broke off", "error", err)
		say(w, http.StatusBadGateway, "The app broke off before it had answered. See its log.")
	}
}

func say(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // the client may have gone
}

// hostname returns host lower-case, without port and trailing dot.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// buffers keeps the proxy's buffers for copying.
type buffers struct{ pool sync.Pool }

// Get returns a buffer of 32 KiB.
func (b *buffers) Get() []byte {
	if buf, ok := b.pool.Get().(*[]byte); ok {
		return *buf
	}
	return make([]byte, 32<<10)
}

// Put takes a buffer back.
func (b *buffers) Put(buf []byte) { b.pool.Put(&buf) }
