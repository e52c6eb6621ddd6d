package cli

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/nodejitsu/webhooks/core"
)

// caller is a person or a program that calls a service as a user of it.
type caller struct {
	streams IO
	user    string
	url     string // of the service
}

// say writes a message about the progress to stderr.
func (c *caller) say(format string, args ...any) {
	_, _ = fmt.Fprintf(c.streams.Stderr, format+"\n", args...)
}

// printf writes a result to stdout, without control characters of the service.
func (c *caller) printf(format string, args ...any) error {
	_, err := fmt.Fprint(c.streams.Stdout, printable(fmt.Sprintf(format, args...)))
	return err
}

// table writes rows in columns.
func (c *caller) table(rows [][]string) error {
	w := tabwriter.NewWriter(c.streams.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = oneLine(cell)
		}
		if _, err := fmt.Fprintln(w, strings.Join(cells, "\t")); err != nil {
			return err
		}
	}
	return w.Flush()
}

// oneLine returns a text of the service as one line without tabs.
func oneLine(text string) string {
	return strings.NewReplacer("\t", " ", "\n", " ").Replace(printable(text))
}

// json writes a value for programs.
func (c *caller) json(value any) error { return writeJSON(c.streams.Stdout, value) }

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
