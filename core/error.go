package core

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Code is a stable name of a failure, such as "deploy:no_payload". Programs
// act on it; it is never renamed or reused.
type Code string

// Error is a failure that is reported to a caller.
type Error struct {
	Code       Code
	Reason     string        // a sentence for a person, with what to do
	Cause      error         // for the log; never shown to a caller
	Detail     string        // what the other side answered; shown in the entry
	RetryAfter time.Duration // when to retry; 0 if unknown
}

// NewError returns an Error with the given code. If reason is empty, it is the
// catalogue's sentence and remedy.
func NewError(code Code, reason string, cause error) *Error {
	if reason == "" {
		reason = message(code)
	}
	return &Error{Code: code, Reason: reason, Cause: cause}
}

// Errorf returns an Error with the given code and a reason that is formatted as
// by [fmt.Sprintf].
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Reason: fmt.Sprintf(format, args...)}
}

// maxCause is how much of a cause a reason has, in bytes.
const maxCause = 500

// Explain returns an Error whose reason is the catalogue's sentence, then what the
// cause is, then what to do. If there is an Error within cause, its reason and its
// detail are used. The cause must be fit to be shown.
func Explain(code Code, cause error) *Error {
	if cause == nil {
		return NewError(code, "", nil)
	}
	e := &Error{Code: code, Cause: cause}
	text := cause.Error()
	if inner, ok := errors.AsType[*Error](cause); ok {
		text, e.Detail, e.RetryAfter = inner.Reason, inner.Detail, inner.RetryAfter
	}
	text = OneLine(text)
	what, todo, _ := strings.Cut(Reason(code), "; ")
	if remedy := Remedy(code); remedy != "" {
		what, todo = Reason(code), remedy
	}
	e.Reason = what + ": " + text
	if todo != "" {
		e.Reason += ". " + strings.ToUpper(todo[:1]) + todo[1:]
	}
	return e
}

// OneLine returns the first line of a cause as a part of a sentence: clipped, and
// without the dot at its end. People read it in JSON, where a double quote has a
// backslash, so it has single ones.
func OneLine(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	if len(text) > maxCause {
		text = strings.ToValidUTF8(text[:maxCause], "") + "…"
	}
	return strings.TrimRight(strings.ReplaceAll(text, `"`, "'"), ".;: ")
}

// Error returns code, reason and cause.
func (e *Error) Error() string {
	text := string(e.Code) + ": " + e.Reason
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is an Error of the same code.
func (e *Error) Is(target error) bool {
	other, ok := errors.AsType[*Error](target)
	return ok && other.Code == e.Code
}

// AsError returns the Error within err. If there is none, it returns one
// of code [CodeInternal] with err as its cause; for nil it returns nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return NewError(CodeInternal, "", err)
}

// CodeOf returns the code of the Error within err, [CodeInternal] if there
// is none, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return AsError(err).Code
}

// The errors of adapters. A use case, which knows what they mean there, turns them
// into an Error. Adapters wrap them: fmt.Errorf("bolt: save: %w", core.ErrConflict).
var (
	ErrNotFound     = errors.New("not found")
	ErrConflict     = errors.New("changed concurrently")
	ErrSuperseded   = errors.New("superseded by a later one")
	ErrUnauthorized = errors.New("credentials refused")
	ErrForbidden    = errors.New("not allowed")
	ErrGone         = errors.New("no longer kept")
	ErrOverloaded   = errors.New("overloaded")
)

// Transient marks err as temporary: the same call may succeed later, after `after`
// or, if that is 0, after the caller's own backoff.
func Transient(err error, after time.Duration) error {
	if err == nil {
		return nil
	}
	return &transient{err, after}
}

type transient struct {
	error
	after time.Duration
}

func (t *transient) Unwrap() error { return t.error }

// Retryable reports whether a call that failed with err may be retried, and after
// what time (0: the caller's own backoff). An exceeded deadline may; a cancelled
// context may not.
func Retryable(err error) (after time.Duration, ok bool) {
	if t, is := errors.AsType[*transient](err); is {
		return t.after, true
	}
	return 0, errors.Is(err, context.DeadlineExceeded)
}
