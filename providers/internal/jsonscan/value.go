package jsonscan

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind is the type of a value.
type Kind byte

// The kinds of values.
const (
	None Kind = iota // no value, or an error occurred
	Null
	False
	True
	Number
	String
	Array
	Object
)

// Kind returns the type of the next value without reading it.
func (s *Scanner) Kind() Kind {
	if s.err != nil || s.pos >= len(s.text) {
		return None
	}
	switch c := s.text[s.pos]; c {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 't':
		return True
	case 'f':
		return False
	case 'n':
		return Null
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return Number
		}
		return None
	}
}

// Text reads a string; anything else reads as "". The escape sequence of half a
// surrogate pair becomes U+FFFD, as in encoding/json.
func (s *Scanner) Text() string { return s.share(s.Bytes()) }

// share returns text as a string. Short strings are parts of a longer one, so that an
// event of many fields takes few allocations.
func (s *Scanner) share(text []byte) string {
	const short, together = 128, 512
	if len(text) == 0 || len(text) > short {
		return string(text)
	}
	if s.short.Cap()-s.short.Len() < len(text) {
		s.short = strings.Builder{}
		s.short.Grow(together)
	}
	start := s.short.Len()
	s.short.Write(text)
	return s.short.String()[start:]
}

// Bytes reads a string as [Scanner.Text] does, without a copy. The result is
// valid until the next call of a method of s, and must not be changed.
func (s *Scanner) Bytes() []byte {
	if s.Kind() != String {
		s.Skip()
		return nil
	}
	raw := s.quoted()
	if s.err != nil {
		return nil
	}
	if !utf8.Valid(raw) {
		s.fail(ErrUTF8)
		return nil
	}
	if s.escaped {
		return s.unescape(raw)
	}
	return raw
}

// Word reads a string as [Scanner.Text] does, or the digits of a number;
// anything else reads as "".
func (s *Scanner) Word() string {
	if s.Kind() != Number {
		return s.Text()
	}
	start := s.pos
	s.pos = s.number(s.pos)
	if s.err != nil {
		return ""
	}
	return s.share(s.text[start:s.pos])
}

// Int reads a whole number of at most 64 bits; ok is false for anything else.
func (s *Scanner) Int() (n int64, ok bool) {
	if s.Kind() != Number {
		s.Skip()
		return 0, false
	}
	n, err := strconv.ParseInt(s.Word(), 10, 64)
	if err != nil {
		return 0, false
	}
	return n, true
}

// Bool reads whether the value is true; anything else reads as false.
func (s *Scanner) Bool() bool {
	is := s.Kind() == True
	s.Skip()
	return is && s.err == nil
}
