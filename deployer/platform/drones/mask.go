package drones

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// masked is what stands for a secret.
const masked = "***"

// minSecret is how long, in bytes, a value must be to be masked: shorter ones
// stand in too much that is no secret.
const minSecret = 6

// minUser is how long a URL's user must be to be taken for a token.
const minUser = 16

// userinfo matches the password in a URL. Quotes end it, as URLs in JSON are
// followed by other text that may hold an @.
var userinfo = regexp.MustCompile("(://[^\\s/?#:@\"'`<>\\\\]*:)[^\\s/?#\"'`<>\\\\]+@")

// mask hides secrets in what an app writes: the values of its environment that
// are secret by their names, the credentials in its URLs, and the passwords in
// all other URLs.
type mask struct {
	secrets *strings.Replacer
	longest int // bytes of a secret
}

func newMask(environments ...map[string]string) *mask {
	var found []string
	for _, env := range environments {
		for name, value := range env {
			found = append(found, secretsIn(name, value)...)
		}
	}
	// Of two that begin at the same place the replacer takes the first.
	slices.SortFunc(found, func(a, b string) int { return len(b) - len(a) })
	m := &mask{}
	var pairs []string
	for _, secret := range found {
		m.longest = max(m.longest, len(secret))
		pairs = append(pairs, secret, masked)
	}
	m.secrets = strings.NewReplacer(pairs...)
	return m
}

// secretsIn returns what is secret of a variable, in each form that an app may
// write it in: as it is, a line of it, or as a text of JSON.
func secretsIn(name, value string) []string {
	secrets := credentials(value)
	if isSecret(name) {
		secrets = append(secrets, value)
	}
	var forms []string
	for _, secret := range secrets {
		forms = append(forms, secret)
		forms = append(forms, strings.FieldsFunc(secret, func(c rune) bool { return c == '\n' || c == '\r' })...)
	}
	for _, form := range slices.Clone(forms) {
		forms = append(forms, quoted(form))
	}
	return slices.DeleteFunc(forms, func(form string) bool { return len(form) < minSecret })
}

// quoted returns text as JSON has it between its quotes, the way that
// JSON.stringify writes it.
func quoted(text string) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // of a text, to memory
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(out.String()), `"`), `"`)
}

// isSecret tells whether a variable of that name holds a secret.
func isSecret(name string) bool {
	name = strings.ToUpper(name)
	for _, word := range []string{"PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "CREDENTIAL"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	for _, word := range []string{"KEY", "KEYS", "PASS", "PWD"} {
		if strings.HasSuffix(name, word) {
			return true
		}
	}
	return false
}

// credentials returns those in a URL, as written and as meant: the password,
// and a user that may be a token.
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

// apply returns text with the secrets hidden.
func (m *mask) apply(text string) string {
	text = m.secrets.Replace(text)
	if strings.Contains(text, "://") {
		text = userinfo.ReplaceAllString(text, "${1}"+masked+"@")
	}
	return text
}
