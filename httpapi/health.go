package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
)

// readyTimeout is how long finding out may take, before it counts as not.
const readyTimeout = 2 * time.Second

// healthy says that the process answers.
func (a *API) healthy(c *gin.Context) error {
	writeJSON(c, http.StatusOK, okBody{true})
	return nil
}

// ready says whether requests should be sent here.
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
	writeJSON(c, http.StatusOK, okBody{true})
	return nil
}

type okBody struct {
	OK bool `json:"ok"`
}
