package httpapi

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// httpOutput writes a feed as the response to a request.
type httpOutput struct {
	w       gin.ResponseWriter
	control *http.ResponseController
	form    feedForm
	timeout time.Duration // for one write
}

func newHTTPOutput(w gin.ResponseWriter, form feedForm, timeout time.Duration) *httpOutput {
	return &httpOutput{w: w, control: http.NewResponseController(below(w)), form: form, timeout: timeout}
}

// below returns the writer below Gin's, which does not report a failed flush
// and does not let go of a connection after the headers.
func below(w gin.ResponseWriter) http.ResponseWriter {
	if u, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		return u.Unwrap()
	}
	return w
}

func (o *httpOutput) begin(text []byte) error {
	h := o.w.Header()
	h.Set("Content-Type", o.form.contentType())
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // else nginx would keep the lines until it has many
	o.w.WriteHeader(http.StatusOK)
	o.w.WriteHeaderNow()
	return o.write(text)
}

func (o *httpOutput) write(text []byte) error {
	// This frees us of a client that stopped reading. It also extends the server's
	// WriteTimeout, which would end every feed.
	_ = o.control.SetWriteDeadline(time.Now().Add(o.timeout)) // not every writer has deadlines
	if len(text) > 0 {
		if _, err := o.w.Write(text); err != nil {
			return err
		}
	}
	if err := o.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// connOutput writes a feed to a connection that was taken over from net/http,
// as the rest of a response in chunks (RFC 9112, section 7.1).
type connOutput struct {
	conn    net.Conn
	timeout time.Duration // for one write
}

// chunkHead is the length of the line before a chunk.
const chunkHead = len("00000000\r\n")

// chunkOf appends to text one chunk that has what data appends.
func chunkOf(text []byte, data func([]byte) []byte) []byte {
	begin := len(text)
	text = append(text, "00000000\r\n"...)
	text = data(text)
	length := len(text) - begin - chunkHead
	if length == 0 {
		return text[:begin] // an empty chunk would be the last
	}
	_ = fmt.Appendf(text[:begin], "%08x", length) // in place
	return append(text, "\r\n"...)
}

func (o *connOutput) begin(text []byte) error { return o.write(text) } // it has begun

func (o *connOutput) write(text []byte) error {
	return o.writeRaw(chunkOf(make([]byte, 0, chunkHead+len(text)+2), func(b []byte) []byte { return append(b, text...) }))
}

// writeRaw sends what is in chunks already.
func (o *connOutput) writeRaw(text []byte) error {
	for len(text) > 0 {
		n := min(len(text), chunk)
		if err := o.conn.SetWriteDeadline(time.Now().Add(o.timeout)); err != nil {
			return err
		}
		if _, err := o.conn.Write(text[:n]); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// end says that the response is complete.
func (o *connOutput) end() error { return o.writeRaw([]byte("0\r\n\r\n")) }
