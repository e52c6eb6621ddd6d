package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
)

// readBody returns the request's body, at most limit bytes of it; of a larger
// one nothing more is read.
func readBody(c *gin.Context, limit int64) ([]byte, error) {
	for _, encoding := range c.Request.Header.Values("Content-Encoding") {
		if encoding = strings.TrimSpace(encoding); encoding != "" && !strings.EqualFold(encoding, "identity") {
			return nil, core.NewError(core.CodePayloadEncoding, "", nil)
		}
	}
	tooLarge := core.NewError(core.CodePayloadTooLarge, "", nil)
	if limit != core.MaxPayload {
		tooLarge.Reason = fmt.Sprintf("The body is larger than %d KiB; send a smaller one", limit>>10)
	}
	if c.Request.ContentLength > limit {
		return nil, tooLarge
	}
	var body bytes.Buffer
	// What a sender announces is believed up to a bound only, as it costs him
	// nothing and us the memory.
	const believed = 1 << 20
	body.Grow(int(min(max(c.Request.ContentLength, 0), believed)) + bytes.MinRead)
	_, err := body.ReadFrom(http.MaxBytesReader(c.Writer, c.Request.Body, limit))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge
	}
	if err != nil {
		return nil, core.NewError(core.CodeProviderNotSupported, "The body ended too early, or came too slowly; send it again", err)
	}
	return body.Bytes(), nil
}
