// Package problem is how the platform's parts tell a caller that a call is
// refused, and why. What is no [Error] is the platform's own fault.
package problem

import (
	"errors"
	"fmt"
	"time"
)

// Kind is what sort of refusal it is.
type Kind int

// The kinds.
const (
	Invalid      Kind = iota + 1 // the call makes no sense as it is
	Unauthorized                 // the credentials don't hold
	Forbidden                    // they do, but not for this
	NotFound                     // there is no such thing
	Conflict                     // something stands in the way
	TooLarge                     // more than the platform takes
	Failed                       // it was tried, and failed by the app's fault
	Busy                         // the platform has too much to do; later it may work
	TooMany                      // the caller has to wait for Error.RetryAfter
	OutOfScope                   // the platform does nothing of the kind
)

// Error is a refusal.
type Error struct {
	Kind    Kind
	Name    string // stable, for programs, such as "not_found"
	Message string // a sentence for a person that says what to do

	RetryAfter time.Duration // of TooMany
}

// New returns an Error whose message is made as fmt.Sprintf does.
func New(kind Kind, name, format string, args ...any) *Error {
	return &Error{Kind: kind, Name: name, Message: fmt.Sprintf(format, args...)}
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Is tells whether err holds an Error of that kind.
func Is(err error, kind Kind) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind == kind
}
