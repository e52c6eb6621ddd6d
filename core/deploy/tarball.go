package deploy

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/safetar"
)

// Gzip is what decompresses and compresses a tarball on its way to the
// platform. Nil fields are those of compress/gzip at its best speed.
type Gzip struct {
	Reader func(io.Reader) (io.Reader, error)
	Writer func(io.Writer) (io.WriteCloser, error)
}

func (g Gzip) withDefaults() Gzip {
	if g.Reader == nil {
		g.Reader = func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }
	}
	if g.Writer == nil {
		g.Writer = func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.BestSpeed) }
	}
	return g
}

// tarball is a commit's tree on its way from the source to the platform:
// opened when first read, checked and re-rooted as it passes, in constant
// memory. Decompressing, compressing and sending run at the same time. It is
// read by one goroutine and closed by its maker.
type tarball struct {
	ctx    context.Context //nolint:containedctx // the tarball is one call's, and lives as long
	cancel context.CancelFunc
	open   func(context.Context) (io.ReadCloser, error)
	commit string
	limits safetar.Limits
	gzip   Gzip

	begin   sync.Once
	reader  *io.PipeReader
	writer  *io.PipeWriter
	working sync.WaitGroup

	// Written before the pipe is closed.
	failure error // of the source
	notes   []string
}

func newTarball(ctx context.Context, commit string, limits safetar.Limits, g Gzip, open func(context.Context) (io.ReadCloser, error)) *tarball {
	ctx, cancel := context.WithCancel(ctx)
	t := &tarball{ctx: ctx, cancel: cancel, open: open, commit: commit, limits: limits, gzip: g.withDefaults()}
	t.reader, t.writer = io.Pipe()
	return t
}

// Read returns the repacked tgz.
func (t *tarball) Read(p []byte) (int, error) {
	t.begin.Do(func() {
		t.working.Go(func() {
			t.notes, t.failure = t.repack()
			t.writer.CloseWithError(t.failure)
		})
	})
	return t.reader.Read(p)
}

// Close ends the stream. It returns what is worth noting about the tree, and
// the error of the source, nil if there was none or nothing was read.
func (t *tarball) Close() (notes []string, err error) {
	_ = t.reader.CloseWithError(errUnread)
	t.cancel()
	t.working.Wait()
	if errors.Is(t.failure, errUnread) {
		return nil, nil
	}
	return t.notes, t.failure
}

// errUnread is the error of repacking if the reader stopped early.
var errUnread = errors.New("the platform read no further")

func (t *tarball) repack() (notes []string, err error) {
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	source, err := t.open(ctx)
	if err != nil {
		return nil, core.Explain(core.CodeDownloadTarball, err)
	}
	defer source.Close() //nolint:errcheck // only read
	var ahead readAhead
	defer ahead.stop()
	defer cancel() // what is read ahead then ends
	in := safetar.NewReader(source, safetar.Options{Limits: t.limits, Commit: t.commit, Gunzip: func(r io.Reader) (io.Reader, error) {
		unzipped, err := t.gzip.Reader(r)
		if err != nil {
			return nil, err
		}
		ahead.start(unzipped)
		return &ahead, nil
	}})
	out := bufio.NewWriterSize(t.writer, 64<<10)
	packed, err := t.gzip.Writer(out)
	if err != nil {
		return nil, err
	}
	if notes, err = repack(packed, in); err != nil {
		return nil, err
	}
	if err := packed.Close(); err != nil {
		return nil, err
	}
	return notes, out.Flush()
}

const (
	aheadChunk  = 128 << 10
	aheadChunks = 4
)

// readAhead reads from a reader in a goroutine of its own, a few chunks ahead.
type readAhead struct {
	full    chan chunk
	free    chan []byte
	over    chan struct{} // closed when nothing is read any more
	reading sync.WaitGroup

	current chunk // what of it was not returned yet
	buffer  []byte
}

// chunk is what was read at a time.
type chunk struct {
	text []byte
	err  error // that came after it
}

// start begins to read r.
func (a *readAhead) start(r io.Reader) {
	a.full, a.free, a.over = make(chan chunk, aheadChunks), make(chan []byte, aheadChunks), make(chan struct{})
	for range aheadChunks {
		a.free <- make([]byte, aheadChunk)
	}
	a.reading.Go(func() {
		for {
			var c chunk
			select {
			case c.text = <-a.free:
			case <-a.over:
				return
			}
			n := 0
			for n < len(c.text) && c.err == nil {
				var more int
				more, c.err = r.Read(c.text[n:])
				n += more
			}
			c.text = c.text[:n]
			a.full <- c // has room for every buffer
			if c.err != nil {
				return
			}
		}
	})
}

// Read returns what was read, and then the reader's error.
func (a *readAhead) Read(p []byte) (int, error) {
	for len(a.current.text) == 0 {
		if a.current.err != nil {
			return 0, a.current.err
		}
		if a.buffer != nil {
			a.free <- a.buffer
		}
		a.current = <-a.full
		a.buffer = a.current.text[:cap(a.current.text)]
	}
	n := copy(p, a.current.text)
	a.current.text = a.current.text[n:]
	return n, nil
}

// stop ends reading, and waits for a read that is under way.
func (a *readAhead) stop() {
	if a.over != nil {
		close(a.over)
		a.reading.Wait()
	}
}
