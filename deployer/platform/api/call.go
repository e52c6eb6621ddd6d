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
)

const (
	maxBody = 1 << 20          // bytes of a body that is JSON
	stall   = 60 * time.Second // a client that sends or takes nothing for so long is cut off
)

// call is one call of the API, by somebody who may make it.
type call struct {
	w http.ResponseWriter
	r *http.Request

	who       accounts.Identity
	user, app string // as the path names them, valid names; "" where it doesn't
}

func (c *call) ctx() context.Context { return c.r.Context() }

// serve makes a handler of a route.
func (a *API) serve(r route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		begin := time.Now()
		answer := &recorder{ResponseWriter: w}
		err := a.perform(req.Context(), r, &call{w: answer, r: req})
		if err != nil && answer.status == 0 {
			a.refuse(answer, req, err)
		} else if err != nil {
			a.o.Logger.WarnContext(req.Context(), "platform answer broken off", "route", r.pattern, "error", err)
			panic(http.ErrAbortHandler) // an answer that is not whole must not look as if it were
		}
		// Never the path: it names what the route does not.
		a.o.Logger.DebugContext(req.Context(), "platform request", "route", r.pattern, "status", answer.status,
			"duration_ms", time.Since(begin).Milliseconds())
	})
}

// perform lets the route act, where the caller may call it.
func (a *API) perform(ctx context.Context, r route, c *call) error {
	if err := a.identify(ctx, r.access, c); err != nil {
		return err
	}
	return r.do(c)
}

// patient lets the call take as long as it needs: the limits of time are the
// platform's own. The caller's leaving still ends it; that is only seen once
// the body is read, though it says nothing.
func (c *call) patient() error {
	if _, err := c.body(); err != nil {
		return err
	}
	control := http.NewResponseController(c.w)
	return errors.Join(control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{}))
}

// body reads the body, or what is left of it.
func (c *call) body() ([]byte, error) {
	text, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, core.Errorf(core.CodePlatformTooLarge, "The body is larger than %d KiB", maxBody>>10)
	}
	if err != nil {
		return nil, core.Errorf(core.CodePlatformIncomplete, "The body broke off; send it again")
	}
	return text, nil
}

// read decodes the body. None at all is as an empty object.
func (c *call) read(into any) error {
	text, err := c.body()
	if err != nil || len(text) == 0 {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return core.Errorf(core.CodePlatformInvalid, "The body is not the JSON that this call takes: %v", err)
	}
	return nil
}

// answer writes v as JSON.
func (c *call) answer(status int, v any) error {
	writeJSON(c.w, status, v)
	return nil
}

// done answers a change that has nothing else to tell.
func (c *call) done() error { return c.answer(http.StatusOK, map[string]bool{"ok": true}) }

// recorder knows the status of the answer.
type recorder struct {
	http.ResponseWriter
	status int // 0 until the answer begins
}

// WriteHeader begins the answer.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write begins the answer with 200 where it has not.
func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap serves http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Errorf("api: encoding an answer: %w", err)) // only of our own types
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // a caller that left is nobody to tell
}
