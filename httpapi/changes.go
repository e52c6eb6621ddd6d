package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
)

// changes streams the user's changes.
func (a *API) changes(c *gin.Context) error {
	user, err := a.authorize(c)
	if err != nil {
		return err
	}
	return a.stream(c, user)
}

// stream streams the changes of a user who is authenticated.
func (a *API) stream(c *gin.Context, user string) error {
	query, err := parseFeed(c.Request)
	if err != nil {
		return err
	}
	if a.feeds.Add(1) > int64(a.o.MaxFeeds) || a.ending.Err() != nil {
		a.feeds.Add(-1)
		return core.NewError(core.CodeHTTPUnavailable, "", nil)
	}
	reader, err := a.o.Status.Subscribe(c.Request.Context(), user, query.since)
	if err != nil {
		a.feeds.Add(-1)
		return err
	}
	f := &feed{
		form: feedForm{base: a.base(c), docs: query.docs, events: query.events}, query: query,
		user: user, uuid: uuidOf(c), reader: reader, ending: a.ending, buffers: &a.buffers,
	}
	received := false
	defer func() {
		if !received {
			f.close()
			a.feeds.Add(-1)
		}
	}()
	f.out = newHTTPOutput(c.Writer, f.form, a.o.WriteTimeout)
	if c.Request.Method == http.MethodHead {
		_ = f.begin() // the client may have gone
		return nil
	}
	f.live = canTakeOver(c)
	idle, err := f.run(c.Request.Context())
	if idle {
		if a.live.admit() {
			received = true
			a.live.takeOver(c, f)
			return nil
		}
		err = core.NewError(core.CodeHTTPUnavailable, "", nil)
	}
	switch {
	case err == nil || !f.begun:
		return err
	case f.broken:
		c.Set(keyCode, string(core.CodeChangesFatal))
		panic(http.ErrAbortHandler)
	}
	if f.last(a.failureOf(c, err)) != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}
