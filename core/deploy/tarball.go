package deploy

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/nodejitsu/webhooks/core"
)

// tarball is a commit's tree on its way from the source to the platform:
// opened when first read, checked and re-rooted as it passes, in constant
// memory. It is read by one goroutine and closed by its maker.
type tarball struct {
	ctx    context.Context //nolint:containedctx // the tarball is one call's, and lives as long
	cancel context.CancelFunc
	open   func(context.Context) (io.ReadCloser, error)
	commit string
	limits ArchiveLimits

	begin   sync.Once
	reader  *io.PipeReader
	writer  *io.PipeWriter
	working sync.WaitGroup
	failure error // of the source; written before the pipe is closed
}

func newTarball(ctx context.Context, commit string, limits ArchiveLimits, open func(context.Context) (io.ReadCloser, error)) *tarball {
	ctx, cancel := context.WithCancel(ctx)
	t := &tarball{ctx: ctx, cancel: cancel, open: open, commit: commit, limits: limits}
	t.reader, t.writer = io.Pipe()
	return t
}

// Read returns the repacked tgz.
func (t *tarball) Read(p []byte) (int, error) {
	t.begin.Do(func() {
		t.working.Go(func() {
			err := t.pass()
			t.failure = err
			t.writer.CloseWithError(err)
		})
	})
	return t.reader.Read(p)
}

// Close ends the stream and tells what went wrong at the source, nil where
// nothing did or nothing was read.
func (t *tarball) Close() error {
	_ = t.reader.CloseWithError(errUnread)
	t.cancel()
	t.working.Wait()
	if errors.Is(t.failure, errUnread) {
		return nil
	}
	return t.failure
}

// errUnread tells the repacking that nobody reads on.
var errUnread = errors.New("the platform read no further")

func (t *tarball) pass() error {
	source, err := t.open(t.ctx)
	if err != nil {
		return core.NewError(core.CodeDownloadTarball, "", err)
	}
	defer source.Close() //nolint:errcheck // only read
	out := bufio.NewWriterSize(t.writer, 64<<10)
	packed, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if err := repack(packed, source, t.commit, t.limits); err != nil {
		return err
	}
	if err := packed.Close(); err != nil {
		return err
	}
	return out.Flush()
}
