package redis

import (
	"bytes"
	"errors"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// magic begins what zstd wrote, and no JSON.
const magic = "\x28\xb5\x2f\xfd"

const (
	compressFrom = 1 << 10  // bytes; what is shorter hardly gets smaller
	largest      = 64 << 20 // bytes that something is unpacked to
)

// packer makes smaller what is stored. One serves all calls of a Store, as
// making one costs more than most of what it packs.
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

// close waits for those who unpack.
func (p *packer) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.decoder.Close()
	return p.encoder.Close()
}

// pack makes text smaller, where that is worth it.
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

// unpack returns what pack was given.
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
