package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Code is a stable name of a failure, such as "deploy:no_payload". Programs
// act on it; it is never renamed or reused.
type Code string

// Error is a failure that a caller is told about.
type Error struct {
	Code       Code
	Reason     string        // a sentence for a person that says what to do
	Cause      error         // for the log; never shown to a caller
	Detail     string        // what the other side said; shown in the entry
	RetryAfter time.Duration // when trying again may help; 0 where unknown
}

// NewError returns an Error with the given code. An empty reason stands for
// the catalogue's sentence and remedy.
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

// Is tells whether target is an Error of the same code.
func (e *Error) Is(target error) bool {
	other, ok := errors.AsType[*Error](target)
	return ok && other.Code == e.Code
}

// AsError returns the Error within err. Where there is none, it returns one
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

// CodeOf returns the code of the Error within err, [CodeInternal] where there
// is none, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return AsError(err).Code
}

// What adapters say; a use case, which knows what it means there, makes an
// Error of it. Adapters wrap them: fmt.Errorf("bolt: save: %w", core.ErrConflict).
var (
	ErrNotFound     = errors.New("not found")
	ErrConflict     = errors.New("changed by somebody else")
	ErrSuperseded   = errors.New("a later one came first")
	ErrUnauthorized = errors.New("credentials refused")
	ErrForbidden    = errors.New("not allowed")
	ErrGone         = errors.New("no longer kept")
	ErrOverloaded   = errors.New("too much to do at the moment")
)

// Transient marks err as passing: the same call may succeed later, after
// `after` where that is known, else after the caller's own backoff.
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

// Retryable tells whether err is worth another try, and after what time
// (0: the caller's own backoff). A deadline that passed is; a cancelled
// context is not.
func Retryable(err error) (after time.Duration, ok bool) {
	if t, is := errors.AsType[*transient](err); is {
		return t.after, true
	}
	return 0, errors.Is(err, context.DeadlineExceeded)
}
