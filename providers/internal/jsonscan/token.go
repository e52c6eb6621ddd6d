package jsonscan

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// quoted reads a string and returns what stands between its quotes.
func (s *Scanner) quoted() []byte {
	text := s.text
	start := s.pos + 1
	for i := start; i < len(text); i++ {
		c := text[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		switch c {
		case '"':
			s.pos = i + 1
			return text[start:i]
		case '\\':
			n := escape(text[i:])
			if n == 0 {
				s.pos = i
				s.fail(ErrSyntax)
				return nil
			}
			i += n - 1
		default:
			s.pos = i
			s.fail(ErrSyntax)
			return nil
		}
	}
	s.pos = len(text)
	s.fail(ErrSyntax)
	return nil
}

// escape returns the length of the escape that text begins with, 0 for none.
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

// hex returns the value of a hex digit, -1 for another byte.
func hex(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10
	}
	return -1
}

// number reads a number.
func (s *Scanner) number() {
	i := s.pos
	if s.text[i] == '-' {
		i++
	}
	from := i
	i = s.digits(i)
	ok := i > from && (s.text[from] != '0' || i == from+1)
	if ok && i < len(s.text) && s.text[i] == '.' {
		from = i + 1
		i = s.digits(from)
		ok = i > from
	}
	if ok && i < len(s.text) && s.text[i]|0x20 == 'e' {
		i++
		if i < len(s.text) && (s.text[i] == '+' || s.text[i] == '-') {
			i++
		}
		from = i
		i = s.digits(from)
		ok = i > from
	}
	s.pos = i
	if !ok {
		s.fail(ErrSyntax)
	}
}

// digits returns the first place from i on where no digit stands.
func (s *Scanner) digits(i int) int {
	for i < len(s.text) && '0' <= s.text[i] && s.text[i] <= '9' {
		i++
	}
	return i
}

func (s *Scanner) literal(word string) {
	end := s.pos + len(word)
	if end > len(s.text) || string(s.text[s.pos:end]) != word {
		s.fail(ErrSyntax)
		return
	}
	s.pos = end
}

// match returns which of wanted a raw key is, -1 for none.
func match(wanted []string, raw []byte) int {
	if bytes.IndexByte(raw, '\\') >= 0 {
		text, _ := unquote(raw)
		raw = []byte(text)
	}
	for i, key := range wanted {
		if string(raw) == key {
			return i
		}
	}
	return -1
}

// unquote resolves the escapes of a string that was checked. ok is false
// where it is not UTF-8.
func unquote(raw []byte) (text string, ok bool) {
	if !utf8.Valid(raw) {
		return "", false
	}
	next := bytes.IndexByte(raw, '\\')
	if next < 0 {
		return string(raw), true
	}
	out := make([]byte, 0, len(raw))
	for next >= 0 {
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
		next = bytes.IndexByte(raw, '\\')
	}
	return string(append(out, raw...)), true
}

// unit returns the UTF-16 unit that text begins with as an escape, -1 for none.
func unit(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	return hex(text[2])<<12 | hex(text[3])<<8 | hex(text[4])<<4 | hex(text[5])
}
