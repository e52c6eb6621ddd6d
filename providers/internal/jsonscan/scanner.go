package jsonscan

import (
	"errors"
	"fmt"
	"iter"
)

// MaxDepth is how deep arrays and objects may nest; payloads of webhooks stay
// below twenty.
const MaxDepth = 200

// Why a text is refused.
var (
	ErrSyntax    = errors.New("not valid JSON")
	ErrDepth     = errors.New("nested too deep")
	ErrDuplicate = errors.New("a field comes twice")
	ErrUTF8      = errors.New("a text is not UTF-8")
)

// Scanner is a cursor in a JSON text. It is used by one goroutine.
type Scanner struct {
	text  []byte
	pos   int // where a value is expected, at its first byte
	depth int
	err   error
}

// New returns a Scanner at the one value that text must be. It refers to text
// and does not change it.
func New(text []byte) *Scanner {
	s := &Scanner{text: text}
	s.space()
	return s
}

// End tells whether the text was in order up to its end, which only white
// space may stand before. Call it last: what was read before is to be trusted
// only then. It fails with one of the errors of this package.
func (s *Scanner) End() error {
	s.space()
	if s.err == nil && s.pos != len(s.text) {
		s.fail(ErrSyntax)
	}
	return s.err
}

// Object reads an object: it yields each of the wanted keys that is there,
// with the Scanner at its value, which is skipped where the loop does not read
// it. At most 64 keys may be wanted. Any other value than an object is skipped.
// A loop that breaks off leaves the Scanner behind the object nevertheless.
func (s *Scanner) Object(wanted ...string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if s.Kind() != Object {
			s.Skip()
			return
		}
		var seen uint64
		reading := true
		for more := s.enter('}'); more; more = s.next('}') {
			i := match(wanted, s.key())
			if i < 0 || s.err != nil {
				s.Skip()
				continue
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

// Array reads an array: it yields the index of each element, with the Scanner
// at the element, as [Scanner.Object] does.
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

// Skip reads over a value, checking it.
func (s *Scanner) Skip() {
	switch s.Kind() {
	case Object:
		for more := s.enter('}'); more; more = s.next('}') {
			s.key()
			s.Skip()
		}
	case Array:
		for more := s.enter(']'); more; more = s.next(']') {
			s.Skip()
		}
	case String:
		s.quoted()
	case Number:
		s.number()
	case True:
		s.literal("true")
	case False:
		s.literal("false")
	case Null:
		s.literal("null")
	default:
		s.fail(ErrSyntax)
	}
}

// enter goes into an object or array and tells whether it holds anything; an
// empty one is left at once.
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

// next goes on behind an element and tells whether another must follow.
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

// key reads a key with its colon and returns what stands between its quotes.
func (s *Scanner) key() []byte {
	if !s.at('"') {
		s.fail(ErrSyntax)
		return nil
	}
	raw := s.quoted()
	s.space()
	if s.err == nil && !s.at(':') {
		s.fail(ErrSyntax)
	}
	if s.err != nil {
		return nil
	}
	s.pos++
	s.space()
	return raw
}

func (s *Scanner) at(c byte) bool { return s.pos < len(s.text) && s.text[s.pos] == c }

func (s *Scanner) space() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\n', '\r', '\t':
			s.pos++
		default:
			return
		}
	}
}

// fail keeps the first failure.
func (s *Scanner) fail(err error) {
	if s.err == nil {
		s.err = fmt.Errorf("%w (byte %d)", err, s.pos)
	}
}
