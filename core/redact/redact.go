package redact

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

const (
	// mask replaces a credential.
	mask = "***"
	// minSecret is the shortest credential, in bytes, that is looked for.
	// Shorter ones occur in too many texts by chance.
	minSecret = 4
	// minEncoded is the same for a part of a Base64 text, in characters.
	minEncoded = 7
)

// A Redactor removes a set of credentials from texts. It may be used
// concurrently. A nil Redactor removes nothing.
type Redactor struct {
	forms   *strings.Replacer
	encoded []string // what Base64 texts that include a credential contain
	longest int
}

// New returns a Redactor of these credentials. Empty ones, and those of less
// than four bytes, are ignored.
func New(secrets ...core.Secret) *Redactor {
	texts := make([]string, 0, len(secrets))
	for _, s := range secrets {
		texts = append(texts, s.Reveal())
	}
	return newRedactor(texts)
}

func newRedactor(secrets []string) *Redactor {
	var forms, encoded []string
	for _, secret := range secrets {
		if len(secret) < minSecret {
			continue
		}
		forms = append(forms, formsOf(secret)...)
		encoded = append(encoded, encodedFormsOf(secret)...)
	}
	if len(forms) == 0 {
		return nil
	}
	// If two forms begin at the same place, Replacer uses the first.
	slices.SortFunc(forms, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
	r := &Redactor{longest: len(forms[0])}
	pairs := make([]string, 0, 2*len(forms))
	for _, form := range slices.Compact(forms) {
		pairs = append(pairs, form, mask)
	}
	r.forms = strings.NewReplacer(pairs...)
	slices.Sort(encoded)
	r.encoded = slices.Compact(encoded)
	return r
}

// Text returns text with "***" in place of each credential.
func (r *Redactor) Text(text string) string {
	if r == nil || text == "" {
		return text
	}
	text = r.forms.Replace(text)
	for _, part := range r.encoded {
		text = cutEncoded(text, part)
	}
	return text
}

// Error returns an error with the message of err without the credentials.
// errors.Is and errors.As find in it what they find in err. It returns err
// itself if there is nothing to remove, and nil for nil.
func (r *Redactor) Error(err error) error {
	if err == nil || r == nil {
		return err
	}
	text := err.Error()
	if clean := r.Text(text); clean != text {
		return &redacted{clean, err}
	}
	return err
}

type redacted struct {
	text string
	err  error
}

func (e *redacted) Error() string { return e.text }

func (e *redacted) Unwrap() error { return e.err }

// Longest returns the number of bytes of the longest form that is looked for,
// not counting Base64. A text that is cut to a length should be cleaned with
// so much more, or a credential may be cut in two.
func (r *Redactor) Longest() int {
	if r == nil {
		return 0
	}
	return r.longest
}

// formsOf returns the ways in which a credential is written, other than Base64.
func formsOf(secret string) []string {
	query := url.QueryEscape(secret)
	component := strings.ReplaceAll(query, "+", "%20")
	forms := []string{
		secret, jsonText(secret, true), jsonText(secret, false), html.EscapeString(secret),
		strings.Trim(strconv.Quote(secret), `"`), strings.Trim(strconv.QuoteToASCII(secret), `"`),
		query, component, url.PathEscape(secret), encodeURIComponent.Replace(component),
		strings.TrimPrefix(url.UserPassword("", secret).String(), ":"),
	}
	for _, form := range slices.Clone(forms) {
		forms = append(forms, escape.ReplaceAllStringFunc(form, strings.ToLower))
	}
	return forms
}

// escape matches a percent-encoded byte, whose digits may be lower-case.
var escape = regexp.MustCompile("%[0-9A-F]{2}")

// encodeURIComponent undoes what JavaScript's function of this name, other than
// Go, does not encode.
var encodeURIComponent = strings.NewReplacer("%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*") //nolint:gochecknoglobals // it never changes

// jsonText returns text as JSON has it between its quotes.
func jsonText(text string, escapeHTML bool) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(escapeHTML)
	_ = encoder.Encode(text) // a string, to memory: it can not fail
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(out.String()), `"`), `"`)
}

// encodedFormsOf returns what every Base64 text contains that encodes a text with
// the credential in it. Three bytes become four characters, so there are three
// ways in which the credential may be placed; of each, the first and the last
// characters are left out, as they also depend on its neighbors.
func encodedFormsOf(secret string) []string {
	var forms []string
	for before := range 3 {
		text := []byte(strings.Repeat("\x00", before) + secret)
		first, end := (8*before+5)/6, 8*len(text)/6
		if end-first < minEncoded {
			continue
		}
		forms = append(forms,
			base64.RawStdEncoding.EncodeToString(text)[first:end],
			base64.RawURLEncoding.EncodeToString(text)[first:end])
	}
	return forms
}

// cutEncoded replaces each Base64 text in text that contains part.
func cutEncoded(text, part string) string {
	var out strings.Builder
	for {
		at := strings.Index(text, part)
		if at < 0 {
			out.WriteString(text)
			return out.String()
		}
		begin, end := at, at+len(part)
		for begin > 0 && inBase64(text[begin-1]) {
			begin--
		}
		for end < len(text) && inBase64(text[end]) {
			end++
		}
		for end < len(text) && text[end] == '=' {
			end++
		}
		out.WriteString(text[:begin] + mask)
		text = text[end:]
	}
}

func inBase64(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("+/-_", c) >= 0
}
