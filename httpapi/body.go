package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
)

const (
	// firstBuffer is what a body is read into at first. More is taken as it
	// comes: what a sender announces costs him nothing.
	firstBuffer = 32 << 10
	// spareBuffer is room behind a body for its end to be seen.
	spareBuffer = 512
	// bodyPatience is how long a body waits for memory.
	bodyPatience = time.Second
)

// readBody returns the request's body, at most limit bytes of it; of a larger
// one nothing more is read. The bodies that are read at a time share the
// memory of Options.BodyMemory: release, which is never nil, gives back what
// this one has of it.
func (a *API) readBody(c *gin.Context, limit int64) (body []byte, release func(), err error) {
	release = func() {}
	for _, encoding := range c.Request.Header.Values("Content-Encoding") {
		if encoding = strings.TrimSpace(encoding); encoding != "" && !strings.EqualFold(encoding, "identity") {
			return nil, release, core.NewError(core.CodePayloadEncoding, "", nil)
		}
	}
	tooLarge := core.NewError(core.CodePayloadTooLarge, "", nil)
	if limit != core.MaxPayload {
		tooLarge.Reason = fmt.Sprintf("The body is larger than %d KiB; send a smaller one", limit>>10)
	}
	length := c.Request.ContentLength
	if length > limit {
		return nil, release, tooLarge
	}
	if length < 0 {
		length = limit
	}
	var taken int64
	release = func() {
		a.bodies.Release(taken)
		taken = 0
	}
	reader := http.MaxBytesReader(c.Writer, c.Request.Body, limit)
	for {
		if len(body) == cap(body) {
			size := min(max(firstBuffer, 2*int64(cap(body))), length+spareBuffer)
			if !a.takeMemory(c.Request.Context(), size) {
				c.Header("Connection", "close") // what is left of the body is not read
				return nil, release, core.NewError(core.CodeHTTPUnavailable, "", nil)
			}
			body = append(make([]byte, 0, size), body...)
			a.bodies.Release(taken)
			taken = size
		}
		n, err := reader.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			return body, release, nil
		}
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, release, tooLarge
		}
		if err != nil {
			return nil, release, core.NewError(core.CodeProviderNotSupported, "The body ended too early, or came too slowly; send it again", err)
		}
	}
}

// takeMemory takes n bytes of what bodies share, as soon as they are free;
// false where that is not soon.
func (a *API) takeMemory(ctx context.Context, n int64) bool {
	ctx, cancel := context.WithTimeout(ctx, bodyPatience)
	defer cancel()
	return a.bodies.Acquire(ctx, n) == nil
}
