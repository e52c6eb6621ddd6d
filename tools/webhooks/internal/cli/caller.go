package cli

import (
	"errors"

	"github.com/nodejitsu/webhooks/core"
)

// caller is a person or a program that calls a service as a user of it.
type caller struct {
	printer

	user string
	url  string // of the service
}

// messageError is an error with a text for a person, who needs no other.
type messageError struct {
	text string
	err  error
}

func (m *messageError) Error() string { return m.text }
func (m *messageError) Unwrap() error { return m.err }

// explained reports whether err has a text for a person.
func explained(err error) bool {
	_, ok := errors.AsType[*messageError](err)
	return ok
}

// checkName checks an argument that names something.
func checkName(what, name string) error {
	if err := core.CheckName(what, name); err != nil {
		return &usageError{err}
	}
	return nil
}
