package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// output is the form in which a command prints.
type output string

// noOutput annotates a command that has no --output. The value says why.
const noOutput = "no-output"

// outputFlag adds --output, unless the command is annotated with noOutput.
func outputFlag(cmd *cobra.Command) *output {
	o := output("text")
	if cmd.Annotations[noOutput] == "" {
		cmd.Flags().Var(&o, "output", "`text|json`; json is for programs")
	}
	return &o
}

func (o *output) json() bool { return *o == "json" }

// String is part of pflag.Value.
func (o *output) String() string { return string(*o) }

// Type is part of pflag.Value.
func (o *output) Type() string { return "form" }

// Set is part of pflag.Value.
func (o *output) Set(text string) error {
	if text != "text" && text != "json" {
		return fmt.Errorf("invalid form %q: want text or json", text)
	}
	*o = output(text)
	return nil
}

// printer prints the result of a command.
type printer struct {
	streams IO
	output  *output
}

// newPrinter returns the printer of a command, and adds --output to it.
func newPrinter(cmd *cobra.Command, streams IO) *printer {
	return &printer{streams: streams, output: outputFlag(cmd)}
}

// result prints a result: the value as JSON, or else text, which prints it for a
// person.
func (p *printer) result(value any, text func() error) error {
	if p.output.json() {
		return writeJSON(p.streams.Stdout, value)
	}
	return text()
}

// done prints what a command has done: the value as JSON, or a line.
func (p *printer) done(value any, format string, args ...any) error {
	return p.result(value, func() error { return p.printf(format+"\n", args...) })
}

// say writes a message about the progress to stderr.
func (p *printer) say(format string, args ...any) {
	_, _ = fmt.Fprintf(p.streams.Stderr, format+"\n", args...)
}

// printf writes a result to stdout, without control characters of the service.
func (p *printer) printf(format string, args ...any) error {
	_, err := fmt.Fprint(p.streams.Stdout, printable(fmt.Sprintf(format, args...)))
	return err
}

// table writes rows in columns.
func (p *printer) table(rows [][]string) error {
	w := tabwriter.NewWriter(p.streams.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for len(row) > 0 && row[len(row)-1] == "" {
			row = row[:len(row)-1] // no spaces at the end of the line
		}
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

// named is the JSON of a command that has done something to what has a name.
func named(done, name string) map[string]string { return map[string]string{done: name} }

// writeJSON writes a value for programs.
func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
