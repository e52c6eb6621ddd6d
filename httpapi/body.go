package httpapi

import (
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
	// firstBuffer is what a body is read into at first. More is reserved as it
	// comes: what a sender announces costs it nothing.
	firstBuffer = 32 << 10
	// trustedFrom is how much of a body must have come until its announced length
	// is believed, and reserved at once. So bodies that are large can't all wait
	// for each other's memory.
	trustedFrom = 1 << 20
	// spareBuffer is room after a body for its end to be seen.
	spareBuffer = 512
	// bodyCopies is how many bytes a byte of a body counts for: itself, its copy
	// in the store's transaction or in a decoded form, and one that the garbage
	// collector has still to free.
	bodyCopies = 3
	// bodyPatience is how long a body waits for memory.
	bodyPatience = 5 * time.Second
)

// readBody returns the request's body, at most limit bytes of it; of a larger
// one nothing more is read. All bodies share the memory of Options.BodyMemory:
// release, which is never nil, releases the memory that is reserved for this body.
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
	announced := length >= 0
	if !announced {
		length = limit
	}
	var reserved int64
	release = func() {
		a.bodies.release(reserved)
		reserved = 0
	}
	reader := http.MaxBytesReader(c.Writer, c.Request.Body, limit)
	for {
		if len(body) == cap(body) {
			size := min(max(firstBuffer, 2*int64(cap(body))), length+spareBuffer)
			if announced && len(body) >= trustedFrom {
				size = length + spareBuffer
			}
			// Only what is added waits: the smaller buffer is one of the copies.
			added := a.bodies.acquire(c.Request.Context(), bodyCopies*(size-int64(cap(body))), bodyPatience)
			if added == 0 {
				c.Header("Connection", "close") // what is left of the body is not read
				return nil, release, core.NewError(core.CodeHTTPUnavailable, "", nil)
			}
			reserved += added
			body = append(make([]byte, 0, size), body...)
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
