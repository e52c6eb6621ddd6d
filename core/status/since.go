package status

import (
	"errors"
	"fmt"

	"github.com/nodejitsu/webhooks/core"
)

// Since says where a reader begins.
type Since struct {
	Now   bool     // with the next change; After is ignored
	After core.Seq // after this one; zero: with the oldest that is kept
}

// ParseSince reads the text form: "now", "0" or a [core.Seq].
func ParseSince(text string) (Since, error) {
	if text == "now" {
		return Since{Now: true}, nil
	}
	after, err := core.ParseSeq(text)
	if err != nil {
		return Since{}, fmt.Errorf("status: since: %w", err)
	}
	return Since{After: after}, nil
}

// GoneError is the cause of a failure with [core.CodeChangesGone].
type GoneError struct {
	Oldest core.Seq // that is kept; zero if none is, or if it is unknown
}

// Error names the oldest change.
func (e *GoneError) Error() string { return "the oldest change kept is " + e.Oldest.String() }

// Is makes errors.Is report that it is [core.ErrGone].
func (e *GoneError) Is(target error) bool { return target == core.ErrGone }

// gone returns the error for changes that are no longer kept.
func gone(oldest core.Seq) error {
	return core.NewError(core.CodeChangesGone,
		fmt.Sprintf("The changes after that seq are no longer kept; the oldest is %s: read the status, then continue with since=0", oldest),
		&GoneError{oldest})
}

// beyond returns the error for a seq that the log does not have yet: it is from
// another log, or the store lost it.
func beyond(oldest core.Seq) error {
	return core.NewError(core.CodeChangesGone,
		fmt.Sprintf("The changes end before that seq, which is from another log or was lost with the store; the oldest is %s: read the status, then continue with since=0", oldest),
		&GoneError{oldest})
}

// fatal returns the error for a reader that cannot continue.
func fatal(why string) error {
	return core.NewError(core.CodeChangesFatal,
		core.Reason(core.CodeChangesFatal)+": "+why+"; re-connect with the last seq you saw in since",
		errors.New(why))
}
