package core

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Seq orders the changes of one user. Its text, "MILLISECONDS-N", has the form
// of a Redis stream id; to clients it is opaque.
type Seq struct {
	Millis uint64 // Unix time, never going back
	N      uint64 // counts within a millisecond
}

// String returns the text form; the zero Seq is "0-0".
func (s Seq) String() string {
	return strconv.FormatUint(s.Millis, 10) + "-" + strconv.FormatUint(s.N, 10)
}

// ParseSeq reads the text form; "0" is the zero Seq.
func ParseSeq(text string) (Seq, error) {
	millis, n, _ := strings.Cut(text, "-")
	var s Seq
	var err error
	if s.Millis, err = strconv.ParseUint(millis, 10, 64); err != nil {
		return Seq{}, fmt.Errorf("seq %q: %w", text, err)
	}
	if n != "" {
		if s.N, err = strconv.ParseUint(n, 10, 64); err != nil {
			return Seq{}, fmt.Errorf("seq %q: %w", text, err)
		}
	}
	return s, nil
}

// IsZero reports whether s is the zero Seq, which is before all changes.
func (s Seq) IsZero() bool { return s == Seq{} }

// Compare orders two Seqs, as package cmp does.
func (s Seq) Compare(t Seq) int {
	return cmp.Or(cmp.Compare(s.Millis, t.Millis), cmp.Compare(s.N, t.N))
}

// Next returns the Seq for a change made at now, after s.
func (s Seq) Next(now time.Time) Seq {
	if millis := uint64(max(now.UnixMilli(), 0)); millis > s.Millis {
		return Seq{Millis: millis}
	}
	return Seq{Millis: s.Millis, N: s.N + 1}
}

// Change is a revision of an entry, as the feed reports it.
type Change struct {
	Seq   Seq
	Entry Entry
}

// Line is a change that is encoded once for all readers. What differs between
// them, the host in the change's `id` and whether there is a `doc`, is added when
// the line is written.
type Line struct {
	Seq    Seq
	App    string
	Status Status

	head, tail, doc []byte
	linked          bool // there is an id, so the base URL is between head and tail
}

// DocMode selects the changes that are written with `doc`.
type DocMode int

// The modes of the parameter include_docs.
const (
	DocNever  DocMode = iota
	DocAlways         // true
	DocErrors         // auto: on errors only
)

// NewLine encodes c.
func NewLine(c Change) (Line, error) {
	encoded, err := EncodeChange(c)
	if err != nil {
		return Line{}, err
	}
	return encoded.Line()
}

// NewShortLine encodes c without its doc.
func NewShortLine(c Change) (Line, error) {
	short, err := encodeShort(c.Entry)
	if err != nil {
		return Line{}, err
	}
	return newLine(c.Seq, c.Entry.App, c.Entry.Status, short), nil
}

// AppendTo appends the change as one JSON object, without a newline. base is
// the scheme and host that the reader used, such as "https://example.com"; it
// must not contain characters that JSON escapes.
func (l Line) AppendTo(dst []byte, base string, mode DocMode) []byte {
	dst = append(dst, l.head...)
	if l.linked {
		dst = append(dst, base...)
	}
	dst = append(dst, l.tail...)
	if l.doc != nil && (mode == DocAlways || mode == DocErrors && l.Status == StatusError) {
		dst = append(dst, `,"doc":`...)
		dst = append(dst, l.doc...)
	}
	return append(dst, '}')
}

// Size returns the number of bytes of encoded text in l.
func (l Line) Size() int { return len(l.head) + len(l.tail) + len(l.doc) }

// encode returns v as JSON without HTML escaping and without a newline.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte{'\n'}), nil
}
