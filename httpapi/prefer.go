package httpapi

import (
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// prefer is what a client prefers (RFC 7240), of what is supported.
type prefer struct {
	async bool          // respond-async
	waits bool          // wait was given
	wait  time.Duration // with it
}

// parsePrefer reads the values of the header Prefer. It ignores what it does not
// know, as RFC 7240, section 2, requires.
func parsePrefer(values []string) prefer {
	var p prefer
	for _, value := range values {
		for _, preference := range splitQuoted(value, ',') {
			text, _, _ := strings.Cut(preference, ";") // after it are parameters
			name, value, _ := strings.Cut(text, "=")
			value = strings.Trim(strings.TrimSpace(value), `"`)
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "respond-async":
				p.async = true
			case "wait":
				if wait, ok := parseCount(value); ok && !p.waits { // the first counts
					p.waits, p.wait = true, time.Duration(wait)*time.Second
				}
			}
		}
	}
	return p
}

// patience returns how long to wait for an outcome, as the client prefers it or
// else as usual, and sets the header that says which preferences were applied.
func (a *API) patience(c *gin.Context, usual time.Duration) time.Duration {
	p := parsePrefer(c.Request.Header.Values("Prefer"))
	var applied []string
	wait := max(usual, 0)
	if p.async {
		applied, wait = append(applied, "respond-async"), 0
	}
	if p.waits { // together they mean: wait so long, then answer
		wait = min(p.wait, a.o.MaxWait)
		applied = append(applied, "wait="+strconv.Itoa(int(wait/time.Second)))
	}
	if applied != nil {
		c.Header("Preference-Applied", strings.Join(applied, ", "))
	}
	return wait
}

// splitQuoted splits text at separators outside of quotes.
func splitQuoted(text string, separator rune) []string {
	quoted, escaped := false, false
	return strings.FieldsFunc(text, func(r rune) bool {
		switch {
		case escaped:
			escaped = false
		case quoted && r == '\\':
			escaped = true
		case r == '"':
			quoted = !quoted
		}
		return r == separator && !quoted
	})
}

// parseCount parses a number of at most nine digits.
func parseCount(text string) (int, bool) {
	if text == "" || len(text) > 9 || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}
