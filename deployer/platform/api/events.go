package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// maxWait is how long a call may wait for events.
const maxWait = time.Minute

// nextEvents returns the oldest events of apps that no server has recorded. If there
// are none, it waits for one as long as the parameter wait says, in seconds. It is an
// extension of the API.
func (a *API) nextEvents(c *call) error {
	wait := 0
	if text := c.r.URL.Query().Get("wait"); text != "" {
		var err error
		if wait, err = strconv.Atoi(text); err != nil || wait < 0 || wait > int(maxWait/time.Second) {
			return core.Errorf(core.CodePlatformInvalid, "Invalid wait: want seconds, at most %d", int(maxWait/time.Second))
		}
	}
	if err := c.clearDeadlines(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.ctx(), time.Duration(wait)*time.Second)
	defer cancel()
	found, err := a.o.Events.Next(ctx)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, map[string]any{"events": found})
}

// removeEvents removes the events up to that with a number, which a server has
// recorded. It is an extension of the API.
func (a *API) removeEvents(c *call) error {
	seq, err := strconv.ParseUint(c.r.PathValue("seq"), 10, 64)
	if err != nil {
		return core.Errorf(core.CodePlatformInvalid, "Invalid number of an event")
	}
	if err := a.o.Events.Remove(seq); err != nil {
		return err
	}
	return c.done()
}
