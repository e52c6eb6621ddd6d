package nodejitsu

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Error is what the platform said when it refused a call.
type Error struct {
	Doing   string    // what the call was for, such as "start app"
	Status  int       // of HTTP; 0 if the trailer of an answer said it
	Name    string    // the field error, such as "not_found"; "" if there is none
	Message string    // the field message, for a person; "" if there is none
	Code    core.Code // of core's catalogue; only the embedded platform sends it
	Detail  string    // what the app said last; only the embedded platform sends it
}

// Unwrap returns the error as one of core's catalogue, nil if the platform sent
// no code of it.
func (e *Error) Unwrap() error {
	if e.Code == "" {
		return nil
	}
	return &core.Error{Code: e.Code, Reason: e.Message, Detail: e.Detail}
}

// nameInternal is how the embedded platform names a failure of its own.
const nameInternal = "internal_error"

// Error returns what the platform said.
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

// Is reports whether the status means target in core's words. Most of 409 is
// left out: core.ErrConflict is about revisions, and this is about names.
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

// refusal returns the error of an answer that is not a success.
func refusal(doing string, resp *http.Response) error {
	e := &Error{Doing: doing, Status: resp.StatusCode}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // what came of it must do
	e.Name, e.Message, e.Code = said(text)
	if !passes(e) {
		return e
	}
	return core.Transient(e, retryAfter(resp.Header))
}

// said reads the body of a refusal. What a proxy in front of the platform
// answers is not shown: it may be a page.
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

// passes reports whether the same call may succeed later. A 500 that says what
// failed, as one of start does, is the app's fault; others are the platform's.
func passes(e *Error) bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case http.StatusInternalServerError:
		return e.Name == nameInternal || e.Name == "" && e.Message == ""
	}
	return false
}

// longestWait bounds what a platform may ask for; more is a mistake.
const longestWait = time.Hour

// retryAfter reads the header of that name; 0 where it is missing.
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
