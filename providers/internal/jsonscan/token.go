package jsonscan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// quoted reads a string and returns what is between its quotes.
func (s *Scanner) quoted() []byte {
	start := s.pos + 1
	if s.pos = s.quote(s.pos); s.err != nil {
		return nil
	}
	return s.text[start : s.pos-1]
}

// quote validates the string at i and returns the index behind it. Nearly every string
// has no escape sequence and ends in a whole word of eight bytes.
func (s *Scanner) quote(i int) int {
	text := s.text
	for at := i + 1; at+8 <= len(text); at += 8 {
		if found := special(binary.LittleEndian.Uint64(text[at:])); found != 0 {
			if at += bits.TrailingZeros64(found) / 8; text[at] == '"' {
				s.escaped = false
				return at + 1
			}
			break
		}
	}
	return s.quoteSlow(i)
}

// quoteSlow is quote for any string.
func (s *Scanner) quoteSlow(i int) int {
	text := s.text
	s.escaped = false
	for i = plain(text, i+1); i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			n := escape(text[i:])
			if n == 0 {
				return s.stop(i, ErrSyntax)
			}
			s.escaped = true
			i = plain(text, i+n) - 1
		case c < 0x20:
			return s.stop(i, ErrSyntax)
		}
	}
	return s.stop(i, ErrSyntax)
}

// special marks the bytes of w that end a string, begin an escape sequence or are
// invalid in a string: the lowest marked one is the first of them, and above it others
// may be marked, too.
func special(w uint64) uint64 {
	const (
		ones = 0x0101010101010101
		high = 0x8080808080808080
	)
	// With one bit changed a quote is the number after the bytes that are less than a
	// space, so that one comparison finds both.
	quote, slash := (w^0x02*ones)-0x21*ones, (w^'\\'*ones)-ones
	return (quote | slash) &^ w & high
}

// plain returns the index of the first byte from i on that ends a string, begins an
// escape sequence or is invalid in a string. If there is none in whole words of eight
// bytes, it returns the index of the first byte after them.
func plain(text []byte, i int) int {
	for ; i+8 <= len(text); i += 8 {
		if found := special(binary.LittleEndian.Uint64(text[i:])); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	return i
}

// escape returns the length of the escape sequence at the beginning of text, 0
// if it is invalid.
func escape(text []byte) int {
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(text) >= 6 && hex(text[2]) >= 0 && hex(text[3]) >= 0 && hex(text[4]) >= 0 && hex(text[5]) >= 0 {
			return 6
		}
	}
	return 0
}

// hex returns the value of a hex digit, -1 for any other byte.
func hex(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10
	}
	return -1
}

// number validates the number at i and returns the index behind it.
func (s *Scanner) number(i int) int {
	text := s.text
	if text[i] == '-' {
		i++
	}
	from := i
	i = digits(text, i)
	ok := i > from && (text[from] != '0' || i == from+1)
	if ok && i < len(text) && text[i] == '.' {
		from = i + 1
		i = digits(text, from)
		ok = i > from
	}
	if ok && i < len(text) && text[i]|0x20 == 'e' {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		from = i
		i = digits(text, from)
		ok = i > from
	}
	if !ok {
		return s.stop(i, ErrSyntax)
	}
	return i
}

// digits returns the index of the first byte from i on that is not a digit.
func digits(text []byte, i int) int {
	for i < len(text) && '0' <= text[i] && text[i] <= '9' {
		i++
	}
	return i
}

// literal validates the word at i and returns the index behind it.
func (s *Scanner) literal(i int, word string) int {
	end := i + len(word)
	if end > len(s.text) || string(s.text[i:end]) != word {
		return s.stop(i, ErrSyntax)
	}
	return end
}

// match returns the index of the raw key that was read last in wanted, -1 if it is not
// there. lengths are those of the wanted keys.
func (s *Scanner) match(wanted []string, lengths uint64, raw []byte) int {
	if s.escaped {
		raw = s.unescape(raw)
	}
	if lengths&lengthBit(len(raw)) == 0 {
		return -1
	}
	for i, key := range wanted {
		if string(raw) == key {
			return i
		}
	}
	return -1
}

// lengthsOf returns the lengths of keys as a set, so that most of the other keys of an
// object are passed over without a comparison.
func lengthsOf(keys []string) (set uint64) {
	for _, key := range keys {
		set |= lengthBit(len(key))
	}
	return set
}

func lengthBit(n int) uint64 { return 1 << (n & 63) }

// unescape resolves the escape sequences of a validated string. The result is
// valid until the next call.
func (s *Scanner) unescape(raw []byte) []byte {
	out := s.scratch[:0]
	for next := bytes.IndexByte(raw, '\\'); next >= 0; next = bytes.IndexByte(raw, '\\') {
		out = append(out, raw[:next]...)
		raw = raw[next:]
		switch raw[1] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r := unit(raw)
			if pair := utf16.DecodeRune(r, unit(raw[6:])); pair != utf8.RuneError {
				r = pair
				raw = raw[6:]
			}
			out = utf8.AppendRune(out, r) // half a pair becomes U+FFFD
			raw = raw[4:]
		default:
			out = append(out, raw[1])
		}
		raw = raw[2:]
	}
	s.scratch = append(out, raw...)
	return s.scratch
}

// unit returns the UTF-16 unit of the escape sequence at the beginning of text,
// -1 if there is none.
func unit(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	return hex(text[2])<<12 | hex(text[3])<<8 | hex(text[4])<<4 | hex(text[5])
}
