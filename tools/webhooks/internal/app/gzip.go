package app

import (
	"io"

	"github.com/klauspost/compress/gzip"

	"github.com/nodejitsu/webhooks/core/deploy"
)

// gzipLevel compresses to within a few percent of gzip's own default at a
// third of its time, which is about as long as decompressing and sending take
// that run beside it.
const gzipLevel = 5

// fastGzip is what tarballs are compressed with on their way to the platform.
func fastGzip() deploy.Gzip {
	return deploy.Gzip{
		Reader: func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		Writer: func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzipLevel) },
	}
}
