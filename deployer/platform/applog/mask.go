package applog

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/redact"
)

// masked replaces a secret.
const masked = "***"

// minSecret is the minimum length in bytes of a value that is masked: shorter
// values occur in too much text that is not secret.
const minSecret = 6

// minUser is the minimum length of a URL's user that is treated as a token.
const minUser = 16

// userinfo matches the password in a URL. Quotes end it, as URLs in JSON are
// followed by other text that may hold an @.
var userinfo = regexp.MustCompile("(://[^\\s/?#:@\"'`<>\\\\]*:)[^\\s/?#\"'`<>\\\\]+@")

// Mask hides secrets in the output of an app: the values of environment variables
// with secret names, the credentials of URLs in the environment, and the passwords
// in all other URLs.
type Mask struct {
	secrets *redact.Redactor
}

// NewMask returns a Mask of the secrets in environments.
func NewMask(environments ...map[string]string) *Mask {
	var found []core.Secret
	for _, env := range environments {
		for name, value := range env {
			for _, secret := range secretsIn(name, value) {
				found = append(found, core.NewSecret(secret))
			}
		}
	}
	return &Mask{redact.New(found...)}
}

// secretsIn returns the secrets in a variable, as a whole and by line.
func secretsIn(name, value string) []string {
	secrets := credentials(value)
	if redact.Named(name) {
		secrets = append(secrets, value)
	}
	for _, secret := range slices.Clone(secrets) {
		secrets = append(secrets, strings.FieldsFunc(secret, func(c rune) bool { return c == '\n' || c == '\r' })...)
	}
	return slices.DeleteFunc(secrets, func(secret string) bool { return len(secret) < minSecret })
}

// credentials returns the password of a URL, and its user if that may be a token,
// both as written and unescaped.
func credentials(value string) []string {
	_, rest, isURL := strings.Cut(value, "://")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	at := strings.LastIndexByte(rest, '@')
	if !isURL || at < 0 {
		return nil
	}
	user, password, _ := strings.Cut(rest[:at], ":")
	found := []string{password}
	if len(user) >= minUser {
		found = append(found, user)
	}
	for _, written := range found {
		if meant, err := url.PathUnescape(written); err == nil {
			found = append(found, meant)
		}
	}
	return found
}

// Longest returns the length of the longest secret in bytes.
func (m *Mask) Longest() int { return m.secrets.Longest() }

// Apply returns text with the secrets hidden.
func (m *Mask) Apply(text string) string {
	text = m.secrets.Text(text)
	if strings.Contains(text, "://") {
		text = userinfo.ReplaceAllString(text, "${1}"+masked+"@")
	}
	return text
}
