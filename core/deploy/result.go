package deploy

import (
	"fmt"

	"github.com/nodejitsu/webhooks/core"
)

// next is what follows a step.
type next int

const (
	proceed  next = iota // the next step; after the last one the entry is ok
	finish               // the attempt ends with Status and Reason
	hold                 // the entry waits for Hold
	requeue              // the entry goes to Place, with Reason
	failed               // the attempt failed with Err: it is retried, or the entry is an error
	deferred             // as failed, but only from the step on that fails with it
)

// result is how a step ended, and so the attempt unless it goes on. The zero
// result lets it go on.
type result struct {
	next   next
	status core.Status
	reason string
	hold   core.Hold
	place  Place
	err    error
}

func done(reason string) result { return result{next: finish, status: core.StatusOK, reason: reason} }

func skipped(format string, args ...any) result {
	return result{next: finish, status: core.StatusSkipped, reason: fmt.Sprintf(format, args...)}
}

func ignored(reason string) result {
	return result{next: finish, status: core.StatusIgnored, reason: reason}
}

func failure(err error) result { return result{next: failed, err: err} }

// failureOf returns a failure with a code of the catalogue, whose reason says what the
// cause is.
func failureOf(code core.Code, cause error) result {
	return failure(core.Explain(code, cause))
}

// check returns the result of a step that only may fail.
func check(err error) result {
	if err != nil {
		return failure(err)
	}
	return result{}
}

// state is how the step is shown in the entry.
func (r result) state() core.StepState {
	if r.next != failed && r.next != deferred {
		return core.StepOK
	}
	if _, again := core.Retryable(r.err); again {
		return core.StepRetry
	}
	return core.StepFailed
}
