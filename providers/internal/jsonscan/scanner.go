package jsonscan

import (
	"errors"
	"fmt"
	"iter"
	"strings"
)

// MaxDepth is how deep arrays and objects may be nested. Webhook payloads stay
// below twenty levels.
const MaxDepth = 200

// The errors of a text. They are wrapped with the offset.
var (
	ErrSyntax    = errors.New("invalid JSON")
	ErrDepth     = errors.New("nested too deeply")
	ErrDuplicate = errors.New("duplicate field")
	ErrUTF8      = errors.New("string is not UTF-8")
)

// Scanner is a cursor in a JSON text. It must not be used concurrently.
type Scanner struct {
	text    []byte
	pos     int // of the first byte of the next value
	depth   int
	escaped bool   // the last string has an escape sequence
	scratch []byte // the last unescaped string
	short   strings.Builder
	err     error
}

// New returns a Scanner at the beginning of text, which must be one JSON value.
// It refers to text and does not change it.
func New(text []byte) *Scanner {
	s := &Scanner{text: text}
	s.space()
	return s
}

// End reports the first error in the text; anything but white space after the
// value is one. Call it last: what was read must not be used unless End returns
// nil.
func (s *Scanner) End() error {
	s.space()
	if s.err == nil && s.pos != len(s.text) {
		s.fail(ErrSyntax)
	}
	return s.err
}

// Offset returns the position of the next value, for [Scanner.Rewind].
func (s *Scanner) Offset() int { return s.pos }

// Rewind moves back to a value, an element of the array or object that is being read,
// to read it again. After an error it does nothing.
func (s *Scanner) Rewind(offset int) {
	if s.err == nil {
		s.pos = offset
	}
}

// Object reads an object. It yields each of the wanted keys that occurs, with
// the Scanner at its value; a value that the loop does not read is skipped. At
// most 64 keys may be wanted. A value that is not an object is skipped. After a
// break the Scanner is behind the object, too.
func (s *Scanner) Object(wanted ...string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if s.Kind() != Object {
			s.Skip()
			return
		}
		var seen uint64
		reading, lengths := true, lengthsOf(wanted)
		for more := s.enter('}'); more; more = s.next('}') {
			i := s.field(wanted, lengths)
			if i < 0 {
				return
			}
			if seen&(1<<i) != 0 {
				s.fail(ErrDuplicate)
				return
			}
			seen |= 1 << i
			if !reading {
				s.Skip()
				continue
			}
			start := s.pos
			reading = yield(wanted[i])
			if s.pos == start {
				s.Skip()
			}
		}
	}
}

// field moves to the value of the next of the wanted keys of an object and returns the
// index of the key. It returns -1 behind the object if there is none, and after an error.
// Like skip it has the position in a variable.
func (s *Scanner) field(wanted []string, lengths uint64) int {
	text, i := s.text, s.pos
	for {
		if i >= len(text) || text[i] != '"' {
			s.stop(i, ErrSyntax)
			return -1
		}
		start := i + 1
		i = s.quote(i)
		if s.err != nil {
			return -1
		}
		key := text[start : i-1]
		if i = space(text, i); i >= len(text) || text[i] != ':' {
			s.stop(i, ErrSyntax)
			return -1
		}
		i = space(text, i+1)
		if at := s.match(wanted, lengths, key); at >= 0 {
			s.pos = i
			return at
		}
		i = s.skip(i)
		if s.err != nil {
			return -1
		}
		if i = space(text, i); i < len(text) && text[i] == ',' {
			i = space(text, i+1)
			continue
		}
		if i >= len(text) || text[i] != '}' {
			s.stop(i, ErrSyntax)
			return -1
		}
		s.pos = i
		s.leave()
		return -1
	}
}

// Array reads an array. It yields the index of each element, with the Scanner
// at the element, and otherwise does as [Scanner.Object].
func (s *Scanner) Array() iter.Seq[int] {
	return func(yield func(int) bool) {
		if s.Kind() != Array {
			s.Skip()
			return
		}
		reading, i := true, 0
		for more := s.enter(']'); more; more = s.next(']') {
			start := s.pos
			if reading {
				reading = yield(i)
			}
			if s.pos == start {
				s.Skip()
			}
			i++
		}
	}
}

// Skip validates a value and moves behind it.
func (s *Scanner) Skip() {
	if s.err == nil {
		s.pos = s.skip(s.pos)
	}
}

// skip validates the value at i and returns the index behind it. After an error the
// index is where it was found. Most of a payload is skipped, so the position is a
// variable here and not a field: the whole scan takes a fifth less time.
func (s *Scanner) skip(i int) int {
	text := s.text
	if i >= len(text) {
		return s.stop(i, ErrSyntax)
	}
	open := text[i]
	switch open {
	case '"':
		return s.quote(i)
	case '{', '[':
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	default:
		return s.number(i)
	}
	if s.depth++; s.depth > MaxDepth {
		return s.stop(i, ErrDepth)
	}
	end := open + 2 // in ASCII
	if i = space(text, i+1); i < len(text) && text[i] == end {
		s.depth--
		return i + 1
	}
	for {
		if open == '{' {
			if i >= len(text) || text[i] != '"' {
				return s.stop(i, ErrSyntax)
			}
			if i = space(text, s.quote(i)); i >= len(text) || text[i] != ':' {
				return s.stop(i, ErrSyntax)
			}
			i = space(text, i+1)
		}
		if i = s.skip(i); s.err != nil {
			return i
		}
		if i = space(text, i); i >= len(text) {
			return s.stop(i, ErrSyntax)
		}
		switch text[i] {
		case ',':
			i = space(text, i+1)
		case end:
			s.depth--
			return i + 1
		default:
			return s.stop(i, ErrSyntax)
		}
	}
}

// enter enters an object or array and reports whether it has elements. It
// leaves an empty one.
func (s *Scanner) enter(end byte) bool {
	if s.depth++; s.depth > MaxDepth {
		s.fail(ErrDepth)
		return false
	}
	s.pos++
	s.space()
	if s.at(end) {
		s.leave()
		return false
	}
	return true
}

// next moves behind an element and reports whether another one must follow.
func (s *Scanner) next(end byte) bool {
	if s.err != nil {
		return false
	}
	s.space()
	switch {
	case s.at(','):
		s.pos++
		s.space()
		return true
	case s.at(end):
		s.leave()
	default:
		s.fail(ErrSyntax)
	}
	return false
}

func (s *Scanner) leave() {
	s.pos++
	s.depth--
}

func (s *Scanner) at(c byte) bool { return s.pos < len(s.text) && s.text[s.pos] == c }

func (s *Scanner) space() { s.pos = space(s.text, s.pos) }

// space returns the index of the first byte from i on that is not white space.
func space(text []byte, i int) int {
	if i < len(text) && text[i] > ' ' {
		return i
	}
	return spaces(text, i)
}

func spaces(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\r' || text[i] == '\t') {
		i++
	}
	return i
}

// stop records an error at i and returns i.
func (s *Scanner) stop(i int, err error) int {
	if s.err == nil {
		s.pos = i
		s.fail(err)
	}
	return i
}

// fail records the first error.
func (s *Scanner) fail(err error) {
	if s.err == nil {
		s.err = fmt.Errorf("%w (byte %d)", err, s.pos)
	}
}
