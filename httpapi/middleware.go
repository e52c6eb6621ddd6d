package httpapi

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi/serve"
)

// Keys of what is known about a request.
const (
	keyUUID      = "uuid"
	keyUser      = "user"       // who was authenticated
	keyCode      = "code"       // of the error in the response
	keyEntryID   = "entry_id"   // that the response is about
	keyEntryURL  = "entry_url"  // that an error is about
	keyEntryPage = "entry_page" // the page about it
)

func uuidOf(c *gin.Context) string { return c.GetString(keyUUID) }

// identify gives the request its UUID, and every response its headers.
func (a *API) identify(c *gin.Context) {
	uuid := a.o.NewUUID()
	c.Set(keyUUID, uuid)
	c.Header("X-Api-Uuid", uuid)
	c.Header("X-Api-Version", a.o.Version)
	serve.SecureHeaders(c.Writer.Header(), serve.PolicyNone, a.o.Proxies.Client(c.Request).Secure)
}

// log writes one line for each request, but for those that were refused because
// there were too many: of these it logs when that begins and ends. The line has
// the route and not the path, and neither query nor headers, which may have
// secrets.
func (a *API) log(c *gin.Context) {
	began := time.Now()
	defer func() {
		if a.o.Observer != nil {
			a.o.Observer.Request(method(c.Request), c.FullPath(), c.Writer.Status(), time.Since(began))
		}
		level := slog.LevelInfo
		switch status := c.Writer.Status(); {
		case status == http.StatusTooManyRequests:
			a.throttled429.Add("client_ip", a.o.Proxies.Client(c.Request).Addr.String(), "route", c.FullPath())
			return
		case c.GetString(keyCode) == string(core.CodeHTTPUnavailable):
			a.shed503.Add("route", c.FullPath())
			return
		case status >= http.StatusInternalServerError:
			level = slog.LevelWarn
		}
		if !a.o.Logger.Enabled(c.Request.Context(), level) {
			return
		}
		attributes := []slog.Attr{
			slog.String("uuid", uuidOf(c)),
			slog.String("method", method(c.Request)),
			slog.String("route", c.FullPath()),
			slog.Int("status", c.Writer.Status()),
			slog.Int("bytes", max(c.Writer.Size(), 0)),
			slog.Int64("duration_ms", time.Since(began).Milliseconds()),
			slog.String("client_ip", a.o.Proxies.Client(c.Request).Addr.String()),
		}
		for _, key := range []string{keyUser, keyEntryID, keyCode} {
			if value := c.GetString(key); value != "" {
				attributes = append(attributes, slog.String(key, value))
			}
		}
		a.o.Logger.LogAttrs(c.Request.Context(), level, "request", attributes...)
	}()
	c.Next()
}

// method returns the request's method if it is a known one.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return r.Method
	}
	return "other"
}

// catch turns a panic into a response or, if one has begun, into an aborted
// connection: a truncated response must not look complete. With Gin's own
// recovery it would, as that swallows http.ErrAbortHandler.
func (a *API) catch(c *gin.Context) {
	defer func() {
		caught := recover()
		if caught == nil {
			return
		}
		if caught == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so too
			panic(caught)
		}
		a.o.Logger.ErrorContext(c.Request.Context(), "handler panicked",
			"uuid", uuidOf(c), "route", c.FullPath(), "panic", fmt.Sprint(caught), "stack", string(debug.Stack()))
		c.Abort()
		a.writeError(c, core.NewError(core.CodeInternal, "", nil))
	}()
	c.Next()
}
