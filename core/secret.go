package core

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// Secret is a credential: a password, an API token, a third-party token or a
// webhook secret. It is printed, logged and encoded as "***". It
// cannot be converted to a string: [Secret.Reveal] is the only way to its value,
// so every use can be found. The zero Secret is empty.
type Secret struct {
	_     [0]func() // not comparable with ==, see Equal
	value *string   // a pointer, which package fmt does not follow if it cannot call Format
}

const masked = "***"

// NewSecret returns a Secret of the given value.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{value: &value}
}

// Reveal returns the value.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether s is empty.
func (s Secret) IsZero() bool { return s.value == nil }

// Equal reports whether s and t have the same value, in a time that depends on
// neither.
func (s Secret) Equal(t Secret) bool {
	a, b := sha256.Sum256([]byte(s.Reveal())), sha256.Sum256([]byte(t.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String returns "***".
func (s Secret) String() string { return masked }

// Format writes "***" whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(masked)) }

// LogValue returns "***".
func (s Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalText returns "***"; it also serves JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// UnmarshalText sets s to text; it also serves JSON.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}
