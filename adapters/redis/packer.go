package redis

import (
	"bytes"
	"errors"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// magic begins a zstd frame, and never JSON.
const magic = "\x28\xb5\x2f\xfd"

const (
	compressFrom = 1 << 10  // bytes; shorter texts are hardly compressible
	largest      = 64 << 20 // bytes of an unpacked text
)

// packer compresses what is stored. A Store has only one, because creating one is
// expensive.
type packer struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder

	mu     sync.RWMutex // held for reading while the decoder is used
	closed bool
}

var errClosed = errors.New("the store was stopped")

func newPacker() *packer {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // the options are constants
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(largest))
	if err != nil {
		panic(err) // the options are constants
	}
	return &packer{encoder: encoder, decoder: decoder}
}

// close waits for running calls of unpack.
func (p *packer) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.decoder.Close()
	return p.encoder.Close()
}

// pack compresses text if it is long enough.
func (p *packer) pack(text []byte) ([]byte, error) {
	if len(text) < compressFrom && !bytes.HasPrefix(text, []byte(magic)) {
		return text, nil
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return nil, errClosed
	}
	return p.encoder.EncodeAll(text, nil), nil
}

// unpack returns the argument of pack.
func (p *packer) unpack(packed string) ([]byte, error) {
	if len(packed) < len(magic) || packed[:len(magic)] != magic {
		return []byte(packed), nil
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return nil, errClosed
	}
	return p.decoder.DecodeAll([]byte(packed), nil)
}
