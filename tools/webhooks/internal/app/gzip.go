package app

import (
	"io"

	"github.com/klauspost/compress/gzip"

	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/parallelgzip"
)

// gzipLevel compresses to within a few percent of gzip's own default, at less than a third
// of its time.
const gzipLevel = 5

// fastGzip is what tarballs are compressed with on their way to the platform.
func fastGzip() deploy.Gzip {
	return deploy.Gzip{
		Reader: func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		Writer: func(w io.Writer) (io.WriteCloser, error) { return parallelgzip.NewWriter(w, gzipLevel) },
	}
}
