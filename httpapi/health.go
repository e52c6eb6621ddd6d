package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
)

// readyTimeout is how long the check of readiness may take until it counts as failed.
const readyTimeout = 2 * time.Second

const pathHealth = "/healthz"

// healthy responds that the process is alive.
func (a *API) healthy(c *gin.Context) error {
	writeJSON(c, http.StatusOK, okBody{OK: true})
	return nil
}

// ready responds whether requests should be sent here. Warnings do not change that.
func (a *API) ready(c *gin.Context) error {
	if a.draining.Load() {
		return core.NewError(core.CodeHTTPUnavailable, "", nil)
	}
	if a.o.Ready != nil {
		ctx, cancel := context.WithTimeout(c.Request.Context(), readyTimeout)
		defer cancel()
		if err := a.o.Ready(ctx); err != nil {
			return core.NewError(core.CodeHTTPUnavailable, "", err)
		}
	}
	body := okBody{OK: true}
	if a.o.Warnings != nil {
		body.Warnings = a.o.Warnings()
	}
	writeJSON(c, http.StatusOK, body)
	return nil
}

type okBody struct {
	OK       bool     `json:"ok"`
	Warnings []string `json:"warnings,omitempty"`
}

// Overload returns the handler for connections beyond the limit. It answers
// /healthz, and 503 to everything else.
func (a *API) Overload() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.engine.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), overloadKey{}, true)))
	})
}

type overloadKey struct{}

// shed refuses a request that came to [API.Overload].
func (a *API) shed(c *gin.Context) {
	if c.Request.Context().Value(overloadKey{}) == nil || strings.TrimSuffix(c.Request.URL.Path, "/") == pathHealth {
		return
	}
	c.Abort()
	a.writeError(c, core.NewError(core.CodeHTTPUnavailable, "", nil))
}

// FeedReaders returns how many readers of changes are connected.
func (a *API) FeedReaders() int { return int(a.feeds.Load()) }
