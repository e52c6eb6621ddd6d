package nodejitsu

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Error is an error response of the platform.
type Error struct {
	Doing   string    // the operation, such as "start app"
	Status  int       // HTTP status; 0 if the error came in a trailer
	Name    string    // the field error, such as "not_found"; "" if there is none
	Message string    // the field message, for a person; "" if there is none
	Code    core.Code // of core's catalogue; only the embedded platform sends it
	Detail  string    // the last lines of the app; only the embedded platform sends it
}

// Unwrap returns the error of core's catalogue with the code, or nil if the
// platform sent no such code.
func (e *Error) Unwrap() error {
	if e.Code == "" {
		return nil
	}
	reason, lines, _ := strings.Cut(e.Message, "\n") // the last lines of the app follow its message
	return &core.Error{Code: e.Code, Reason: reason, Detail: cmp.Or(e.Detail, lines)}
}

// nameInternal is the embedded platform's name of an internal error.
const nameInternal = "internal_error"

// Error returns the platform's message.
func (e *Error) Error() string {
	said := e.Message
	if said == "" {
		said = strings.ReplaceAll(e.Name, "_", " ")
	}
	if said == "" {
		said = fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	}
	return "nodejitsu: " + e.Doing + ": " + said
}

// Is reports whether the status corresponds to target, an error of core. Most 409
// don't: core.ErrConflict is about revisions, and these are about names.
func (e *Error) Is(target error) bool {
	switch e.Status {
	case http.StatusUnauthorized:
		return target == core.ErrUnauthorized //nolint:errorlint // compared as errors.Is does
	case http.StatusForbidden:
		return target == core.ErrForbidden //nolint:errorlint // compared as errors.Is does
	case http.StatusNotFound:
		return target == core.ErrNotFound //nolint:errorlint // compared as errors.Is does
	case http.StatusConflict:
		return target == core.ErrSuperseded && e.Code == core.CodePlatformSuperseded //nolint:errorlint // compared as errors.Is does
	}
	return false
}

// refusal returns the error of a response that is not a success.
func refusal(doing string, resp *http.Response) error {
	e := &Error{Doing: doing, Status: resp.StatusCode}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // a truncated body is good enough
	e.Name, e.Message, e.Code = said(text)
	if !temporary(e) {
		return e
	}
	return core.Transient(e, retryAfter(resp.Header))
}

// said reads the body of an error response. The body of a proxy in front of the
// platform is not shown: it may be an HTML page.
func said(text []byte) (name, message string, code core.Code) {
	var body map[string]json.RawMessage
	if json.Unmarshal(text, &body) != nil {
		return "", "", ""
	}
	word := func(field string) (word string) {
		if json.Unmarshal(body[field], &word) != nil {
			return ""
		}
		return word
	}
	return word("error"), word("message"), core.Code(word("code"))
}

// temporary reports whether the same call may succeed later. A 500 with a reason,
// such as that of a start, is the app's fault; others are the platform's.
func temporary(e *Error) bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case http.StatusInternalServerError:
		return e.Name == nameInternal || e.Name == "" && e.Message == ""
	}
	return false
}

// longestWait limits Retry-After; longer is a mistake of the platform.
const longestWait = time.Hour

// retryAfter reads the header Retry-After; 0 if it is missing.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, longestWait)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date")) // by the clock that set it
	if err != nil {
		now = time.Now()
	}
	return min(max(at.Sub(now), 0), longestWait)
}
