package core

import (
	"fmt"
	"log/slog"
)

// Secret is a credential: a password, an API token, a third-party token or a
// webhook secret. However it is printed, logged or encoded, it reads "***";
// only [Secret.Reveal] gives the value, so that each use of one can be found.
type Secret string

const masked = "***"

// Reveal returns the credential itself.
func (s Secret) Reveal() string { return string(s) }

// String returns "***".
func (s Secret) String() string { return masked }

// Format writes "***" whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(masked)) }

// LogValue returns "***".
func (s Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalText returns "***"; it also serves JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }
