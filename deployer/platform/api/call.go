package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/accounts"
	"github.com/nodejitsu/webhooks/httpapi/serve"
)

const (
	maxBody = 1 << 20          // bytes of a JSON body
	stall   = 60 * time.Second // a client that neither sends nor receives for so long is disconnected
)

// call is one authorized call of the API.
type call struct {
	w http.ResponseWriter
	r *http.Request

	who       accounts.Identity
	user, app string // names in the path, validated; "" if it has none
}

func (c *call) ctx() context.Context { return c.r.Context() }

// serve returns the handler of a route.
func (a *API) serve(r route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		begin := time.Now()
		answer := &recorder{ResponseWriter: w}
		err := a.perform(req.Context(), r, &call{w: answer, r: req})
		if err != nil && answer.status == 0 {
			a.refuse(answer, req, err)
		} else if err != nil {
			a.o.Logger.WarnContext(req.Context(), "platform response aborted", "route", r.pattern, "error", err)
			panic(http.ErrAbortHandler) // a truncated response must not look complete
		}
		// The path is never logged: it has names of users and apps.
		a.o.Logger.DebugContext(req.Context(), "platform request", "route", r.pattern, "status", answer.status,
			"duration_ms", time.Since(begin).Milliseconds())
	})
}

// perform calls the route if the caller is authorized.
func (a *API) perform(ctx context.Context, r route, c *call) error {
	if err := a.identify(ctx, r.access, c); err != nil {
		return err
	}
	return r.do(c)
}

// clearDeadlines removes the deadlines of the connection, as the platform limits
// the time of the call. A disconnect of the client cancels the call; the server
// notices it only after the body has been read.
func (c *call) clearDeadlines() error {
	if _, err := c.body(); err != nil {
		return err
	}
	serve.CancelOnClose(c.r)
	control := http.NewResponseController(c.w)
	return errors.Join(control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{}))
}

// body reads the rest of the body.
func (c *call) body() ([]byte, error) {
	text, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, core.Errorf(core.CodePlatformTooLarge, "The body is larger than %d KiB", maxBody>>10)
	}
	if err != nil {
		return nil, core.Errorf(core.CodePlatformIncomplete, "The body ended early; send it again")
	}
	return text, nil
}

// read decodes the body. An empty body reads as an empty object.
func (c *call) read(into any) error {
	text, err := c.body()
	if err != nil || len(text) == 0 {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return core.Errorf(core.CodePlatformInvalid, "Invalid JSON in the body: %v", err)
	}
	return nil
}

// answer writes v as JSON.
func (c *call) answer(status int, v any) error {
	writeJSON(c.w, status, v)
	return nil
}

// done answers a change that returns no data.
func (c *call) done() error { return c.answer(http.StatusOK, map[string]bool{"ok": true}) }

// recorder records the status of the response.
type recorder struct {
	http.ResponseWriter
	status int // 0 until the response begins
}

// WriteHeader begins the response.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write begins the response with 200 if it has not begun.
func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap implements the method that http.ResponseController uses.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Errorf("api: encoding an answer: %w", err)) // only our own types are encoded
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // an error means that the client has gone
}
