package builds

import "errors"

// Failure is a build that failed for something the app's author can mend: a
// bad archive, a package.json that can't be read, a Node.js range that nothing
// meets, npm's refusal or the time limit.
type Failure struct {
	Reason string // a sentence for the author
	Cause  error  // may be nil
}

// Error returns the reason.
func (f *Failure) Error() string { return "builds: " + f.Reason }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// Blame returns the reason of the [Failure] within err. Where there is none,
// the server is at fault, not the app.
func Blame(err error) (reason string, ok bool) {
	if f, is := errors.AsType[*Failure](err); is {
		return f.Reason, true
	}
	return "", false
}
