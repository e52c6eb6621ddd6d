package redis

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/nodejitsu/webhooks/core"
)

// magic begins what zstd wrote, and no JSON.
const magic = "\x28\xb5\x2f\xfd"

const (
	compressFrom = 1 << 10  // bytes; what is shorter hardly gets smaller
	largest      = 64 << 20 // bytes that something is unpacked to
)

// pack makes text smaller, where that is worth it.
func pack(text []byte) ([]byte, error) {
	if len(text) < compressFrom && !bytes.HasPrefix(text, []byte(magic)) {
		return text, nil
	}
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, err
	}
	return encoder.EncodeAll(text, nil), encoder.Close()
}

// unpack returns what pack was given.
func unpack(packed string) ([]byte, error) {
	if len(packed) < len(magic) || packed[:len(magic)] != magic {
		return []byte(packed), nil
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(largest))
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	return decoder.DecodeAll([]byte(packed), nil)
}

// encode returns an entry as it is stored. Revision and Attempts stand beside
// it, so that a script can raise them.
func encode(e core.Entry) ([]byte, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	return pack(text)
}

// decode makes a change of an entry as it is stored and what stands beside it.
// updated, in microseconds since 1970, is "" where the entry itself tells it.
func decode(doc, revision, attempts, updated, seq string) (c core.Change, err error) {
	text, err := unpack(doc)
	if err != nil {
		return core.Change{}, fmt.Errorf("an entry is damaged: %w", err)
	}
	if err := json.Unmarshal(text, &c.Entry); err != nil {
		return core.Change{}, fmt.Errorf("an entry is damaged: %w", err)
	}
	if c.Entry.Revision, err = strconv.ParseInt(revision, 10, 64); err != nil {
		return core.Change{}, fmt.Errorf("the revision of an entry is damaged: %w", err)
	}
	if c.Entry.Attempts, err = strconv.Atoi(attempts); err != nil {
		return core.Change{}, fmt.Errorf("the attempts of an entry are damaged: %w", err)
	}
	if updated != "" {
		micros, err := strconv.ParseInt(updated, 10, 64)
		if err != nil {
			return core.Change{}, fmt.Errorf("the time of an entry is damaged: %w", err)
		}
		c.Entry.UpdatedAt = time.UnixMicro(micros).UTC()
	}
	c.Seq, err = core.ParseSeq(seq)
	return c, err
}

// told reads what the scripts' function told returns. It fails with
// core.ErrNotFound where that is nothing.
func told(l list) (core.Change, error) {
	if len(l.values) == 0 || l.values[0] == nil {
		return core.Change{}, core.ErrNotFound
	}
	return decode(l.at(0).text(), l.at(1).text(), l.at(2).text(), l.at(3).text(), l.at(4).text())
}

// micros is a time as the scripts have it; 0 is "at once", or unknown. What
// is between two microseconds counts as the later one: nothing is early.
func micros(t time.Time) int64 {
	if t.Unix() <= 0 {
		return 0
	}
	return t.Add(time.Microsecond - 1).UnixMicro()
}

func flag(is bool) string {
	if is {
		return "1"
	}
	return "0"
}

func wrap(doing, what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("redis: %s %q: %w", doing, what, err)
}
