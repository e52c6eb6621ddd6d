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
	"strings"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/httpapi/serve"
	"github.com/nodejitsu/webhooks/httpapi/serve/slowclient"
)

// tries is the maximum number of drones that a request is sent to: a second one
// if the first did not accept the connection.
const tries = 2

// Options are the settings of a [Router]. Lookup and Pick are required; both are
// called for each request and must be safe for concurrent use.
type Options struct {
	// Lookup finds the app that a host belongs to. The host is lower-case and
	// has neither a port nor a trailing dot.
	Lookup func(host string) (user, app string, ok bool)

	// Pick returns the drone of the app that a request of a client goes to. client
	// is "" if the router does not know it; if the app is sticky, the router then
	// gives the client an id by a cookie.
	Pick func(user, app, client string) (t runner.Target, ok bool)

	// Refused is called if a drone that was picked does not accept connections;
	// default: does nothing.
	Refused func(user, app, addr string)

	// Proxies are the reverse proxies whose X-Forwarded-For and -Proto are
	// trusted; default: none.
	Proxies serve.Proxies

	// Stall is how long a client may pause while it sends a request or reads the
	// response; default [slowclient.Limit].
	Stall time.Duration

	Access *slog.Logger // of a line about each request; default: none
	Logger *slog.Logger // default: discards
}

// Router is an http.Handler that proxies each request to a drone of the app
// that its Host names. It responds with 404 if there is no such app, 503 with
// Retry-After if the app is not running, and 502 if the drone closes the
// connection before it has responded.
type Router struct {
	o     Options
	proxy httputil.ReverseProxy

	// A drone may close an idle connection while a request is sent over it
	// (Node.js does so after 5 seconds). A hop retries requests that are safe to
	// retry; all others use a new connection.
	kept  hop
	fresh *http.Transport
}

// New returns a Router.
func New(o Options) *Router {
	o.Stall = cmp.Or(o.Stall, slowclient.Limit)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Router{o: o, fresh: transport()}
	r.proxy = httputil.ReverseProxy{
		Rewrite:   r.rewrite,
		Transport: roundTripper(r.send),
		// No FlushInterval: responses of unknown length and event streams are
		// flushed immediately anyway; others are written together with their headers.
		ErrorHandler: r.fail,
		ErrorLog:     slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
		BufferPool:   &buffers{},
	}
	return r
}

func transport() *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout}
	return &http.Transport{
		DialContext:        dialer.DialContext,
		DisableCompression: true, // the client decides what it accepts
		// A body is sent when the app asks for it, and not if the app refuses it.
		ExpectContinueTimeout: time.Second,
		// Not DisableKeepAlives: with "Connection: close", Node.js closes the
		// connection before it has read the rest of a body, and its response is lost.
		MaxIdleConnsPerHost: -1,
	}
}

// Close closes the idle connections to drones.
func (r *Router) Close() {
	r.kept.close()
	r.fresh.CloseIdleConnections()
}

// request is the state of one request that ServeHTTP and send share.
type request struct {
	user, app string
	known     bool   // the app exists
	id        string // of the request, for logs
	client    string // id of the client of a sticky app; "" if it has none
	newClient bool   // the id is to be sent to the client
	done      func() // called when the request has ended; nil until a drone has it
}

type requestKey struct{}

// ServeHTTP proxies one request.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	state := &request{}
	state.user, state.app, state.known = r.o.Lookup(hostname(req.Host))
	var line *access
	if r.o.Access != nil {
		line = &access{ResponseWriter: w, log: r.o.Access, began: time.Now()}
		defer line.write(r, req, state)
		w = line
	}
	x, req := slowclient.Watch(w, req.WithContext(context.WithValue(req.Context(), requestKey{}, state)), r.o.Stall)
	defer x.End()
	// The request ends when the proxy returns: the body is sent, or the WebSocket
	// closed. This is deferred because the proxy panics if a body ends too early.
	defer func() {
		if state.done != nil {
			state.done()
		}
	}()
	r.proxy.ServeHTTP(x, req)
	if line != nil {
		line.ended = true
	}
}

// rewrite prepares the request for the drone. The proxy has already dropped the
// hop-by-hop headers.
func (r *Router) rewrite(p *httputil.ProxyRequest) {
	p.Out.URL.Scheme = "http"
	p.Out.URL.Host = "drone" // send sets the address
	p.Out.Host = p.In.Host
	p.Out.URL.RawQuery = p.In.URL.RawQuery // unchanged, even if net/url can't parse it
	p.Out.Trailer = p.In.Trailer           // the same map: it is filled at the end of the body
	r.forward(p.In, p.Out.Header)
	if state, ok := p.In.Context().Value(requestKey{}).(*request); ok {
		state.id = p.Out.Header.Get("X-Request-Id")
	}
}

var (
	errUnknown    = errors.New("router: no such app")
	errNotRunning = errors.New("router: app not running") // no drone is ready
)

// send sends the request to a drone and returns the response.
func (r *Router) send(req *http.Request) (*http.Response, error) {
	resp, err := r.roundTrip(req)
	if err == nil {
		// A drone may respond before it has read the whole body. Responses of the
		// router itself don't need the body.
		slowclient.Of(req).Duplex()
	}
	return resp, err
}

// roundTrip sends the request to a drone, and to another one if the first does
// not accept the connection. Then nothing was sent yet, so that this is safe for
// every method.
func (r *Router) roundTrip(req *http.Request) (*http.Response, error) {
	state, _ := req.Context().Value(requestKey{}).(*request)
	if !state.known {
		return nil, errUnknown
	}
	err := errNotRunning
	for range tries {
		t, ok := r.pick(req, state)
		if !ok {
			return nil, err
		}
		var resp *http.Response
		if resp, err = r.attempt(req, t.Addr); err == nil { //nolint:bodyclose // the proxy closes it
			state.done = t.Done
			r.stick(req, state, resp)
			return resp, nil
		}
		t.Done()
		if refused(err) && r.o.Refused != nil {
			r.o.Refused(state.user, state.app, t.Addr)
		}
		if !refused(err) {
			return nil, err
		}
	}
	return nil, err
}

// attempt sends the request to addr. If addr does not accept the connection, the
// request can be sent again.
func (r *Router) attempt(req *http.Request, addr string) (*http.Response, error) {
	if passes(req) {
		return r.kept.roundTrip(req, addr)
	}
	again, url := *req, *req.URL
	again.URL, url.Host = &url, addr
	if req.Body != nil {
		again.Body = io.NopCloser(req.Body) // a failed dial closes it, and the next attempt needs it
	}
	return r.fresh.RoundTrip(&again)
}

// refused reports whether err means that no connection was established.
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

// fail responds with an error if no drone has responded.
func (r *Router) fail(w http.ResponseWriter, req *http.Request, err error) {
	switch {
	case slowclient.Of(req).Stalled():
		respond(w, http.StatusRequestTimeout, "The rest of the request did not arrive in time. Send it again.")
	case req.Context().Err() != nil:
		// The client has disconnected.
		panic(http.ErrAbortHandler)
	case errors.Is(err, errUnknown):
		respond(w, http.StatusNotFound, "There is no app at this address. Check the host name's spelling, and the app's subdomain and domains.")
	case errors.Is(err, errNotRunning), refused(err):
		w.Header().Set("Retry-After", "2")
		respond(w, http.StatusServiceUnavailable, "The app is not running. If it is being deployed, try again in a moment; otherwise see its state and its log.")
	default:
		r.o.Logger.Debug("drone closed the connection", "error", err)
		respond(w, http.StatusBadGateway, "The app closed the connection before it had responded. See its log.")
	}
}

// respond sends a plain text response of the router itself.
func respond(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // the client may have disconnected
}

// hostname returns host in lower case, without port and trailing dot.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// buffers is a pool of the proxy's copy buffers.
type buffers struct{ pool sync.Pool }

// Get returns a buffer of 32 KiB.
func (b *buffers) Get() []byte {
	if buf, ok := b.pool.Get().(*[]byte); ok {
		return *buf
	}
	return make([]byte, 32<<10)
}

// Put returns a buffer.
func (b *buffers) Put(buf []byte) { b.pool.Put(&buf) }
