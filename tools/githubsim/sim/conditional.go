package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
)

// conditional gives a successful answer that is written at once an ETag, and answers
// 304 to a request that has it, which costs nothing (docs.github.com, "Best practices
// for using the REST API").
type conditional struct {
	http.ResponseWriter

	match   string // of the request
	unspend func()
	status  int
}

// WriteHeader implements [http.ResponseWriter].
func (c *conditional) WriteHeader(status int) {
	if c.status = status; status != http.StatusOK {
		c.ResponseWriter.WriteHeader(status)
	}
}

// Write implements [http.ResponseWriter].
func (c *conditional) Write(body []byte) (int, error) {
	switch c.status {
	case 0, http.StatusOK:
	case http.StatusNotModified:
		return len(body), nil
	default:
		return c.ResponseWriter.Write(body)
	}
	sum := sha256.Sum256(body)
	etag := `W/"` + hex.EncodeToString(sum[:]) + `"`
	c.Header().Set("ETag", etag)
	if c.match != etag {
		c.ResponseWriter.WriteHeader(http.StatusOK)
		c.status = -1
		return c.ResponseWriter.Write(body)
	}
	c.unspend()
	c.Header().Del("Content-Length")
	c.status = http.StatusNotModified
	c.ResponseWriter.WriteHeader(http.StatusNotModified)
	return len(body), nil
}

// Unwrap is for [http.ResponseController].
func (c *conditional) Unwrap() http.ResponseWriter { return c.ResponseWriter }
