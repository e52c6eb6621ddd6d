// Package parallelgzip writes gzip on all processors.
package parallelgzip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"runtime"

	"github.com/klauspost/compress/flate"
)

const (
	blockSize = 256 << 10 // bytes that are compressed at a time
	window    = 32 << 10  // how far back deflate refers
)

// Writer is an [io.WriteCloser] that compresses what is written to it, as one stream
// of gzip. Blocks of it are compressed concurrently; each may refer to the end of the
// block before, so that the result is hardly larger than that of one compressor. It
// uses some 1.5 MB for each processor. A Writer that is abandoned without Close leaves
// no goroutine behind. It must not be used concurrently.
type Writer struct {
	out     io.Writer
	level   int
	block   []byte // what is not being compressed yet
	window  []byte // the end of the block before
	pending []*job // in order
	free    []*job
	sum     uint32 // CRC-32 of what is being compressed, or was
	size    uint32 // its bytes
	err     error  // of all calls after the first that failed, or after Close
}

// job is a block that is being compressed.
type job struct {
	in, dict   []byte
	out        bytes.Buffer
	compressor *flate.Writer
	done       chan error // size 1
}

var errClosed = errors.New("parallelgzip: the writer is closed")

// header says that the data is deflated, and nothing else: no name, no time, unknown
// system (RFC 1952, section 2.3).
const header = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

// NewWriter returns a Writer that writes to w. The level is one of package flate. It
// writes the header at once.
func NewWriter(w io.Writer, level int) (*Writer, error) {
	first, err := newJob(level)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(w, header); err != nil {
		return nil, err
	}
	return &Writer{out: w, level: level, block: make([]byte, 0, blockSize), free: []*job{first}}, nil
}

func newJob(level int) (*job, error) {
	j := &job{in: make([]byte, 0, blockSize), done: make(chan error, 1)}
	var err error
	j.compressor, err = flate.NewWriter(&j.out, level)
	return j, err
}

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	written := 0
	for w.err == nil && written < len(p) {
		if len(w.block) == blockSize {
			w.err = w.compress(false)
			continue
		}
		n := min(len(p)-written, blockSize-len(w.block))
		w.block = append(w.block, p[written:written+n]...)
		written += n
	}
	return written, w.err
}

// Close completes the stream. It does not close the underlying writer.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	err := w.compress(true)
	for err == nil && len(w.pending) > 0 {
		err = w.flush()
	}
	if err == nil {
		trailer := binary.LittleEndian.AppendUint32(nil, w.sum)
		_, err = w.out.Write(binary.LittleEndian.AppendUint32(trailer, w.size))
	}
	w.err = errors.Join(err, errClosed)
	return err
}

// compress begins to compress the block. If all processors are in use, it first
// writes the result of the oldest one.
func (w *Writer) compress(final bool) error {
	if len(w.pending) == runtime.GOMAXPROCS(0) {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if len(w.free) == 0 {
		j, err := newJob(w.level)
		if err != nil {
			return err
		}
		w.free = append(w.free, j)
	}
	j := w.free[len(w.free)-1]
	w.free = w.free[:len(w.free)-1]
	j.in, w.block = w.block, j.in[:0]
	j.dict = append(j.dict[:0], w.window...)
	w.window = append(w.window[:0], j.in[max(0, len(j.in)-window):]...)
	w.sum = crc32.Update(w.sum, crc32.IEEETable, j.in)
	w.size += uint32(len(j.in)) //nolint:gosec // modulo 2^32, as gzip has it
	w.pending = append(w.pending, j)
	go func() { j.done <- j.compress(final) }()
	return nil
}

// flush waits for the oldest block, and writes its result.
func (w *Writer) flush() error {
	j := w.pending[0]
	w.pending = w.pending[1:]
	if err := <-j.done; err != nil {
		return err
	}
	w.free = append(w.free, j)
	_, err := w.out.Write(j.out.Bytes())
	return err
}

func (j *job) compress(final bool) error {
	j.out.Reset()
	j.compressor.ResetDict(&j.out, j.dict)
	if _, err := j.compressor.Write(j.in); err != nil {
		return err
	}
	if final {
		return j.compressor.Close()
	}
	// An empty block that ends on a byte: the next result can be appended.
	return j.compressor.Flush()
}
