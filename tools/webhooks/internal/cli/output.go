package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
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
func (p *printer) table(rows [][]string) error { return p.states(rows, -1) }

// states writes rows in columns. Those of one column are states, which have colors on
// a terminal.
func (p *printer) states(rows [][]string, column int) error {
	w := tabwriter.NewWriter(p.streams.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for len(row) > 0 && row[len(row)-1] == "" {
			row = row[:len(row)-1] // no spaces at the end of the line
		}
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = oneLine(cell)
			if i == column {
				cells[i] = p.state(cells[i])
			}
		}
		if _, err := fmt.Fprintln(w, strings.Join(cells, "\t")); err != nil {
			return err
		}
	}
	return w.Flush()
}

// colors are those of states, by what an SGR sequence (ECMA-48) has for them.
var colors = map[string]string{ //nolint:gochecknoglobals // a constant
	"ok": "32", "started": "32",
	"error": "31", "crashed": "31", "failed": "31",
	"held": "33", "warning": "33", "retry": "33",
	"pending": "34", "starting": "34", "running": "34",
	"ignored": "90", "skipped": "90", "stopped": "90",
}

// state returns the name of a state in its color, if stdout is a terminal that has
// colors. All names become longer by the same number of bytes, so that columns stay
// columns.
func (p *printer) state(name string) string {
	if !hasColors(p.streams) {
		return name
	}
	color, ok := colors[strings.ToLower(strings.TrimSpace(name))]
	if !ok {
		color = "39" // the default
	}
	return "\x1b[" + color + "m" + name + "\x1b[0m"
}

// hasColors reports whether stdout is a terminal, and its user wants colors
// (no-color.org). On Windows only Windows Terminal has them without being asked.
func hasColors(streams IO) bool {
	if _, terminal := terminalOf(streams.Stdout); !terminal {
		return false
	}
	value := func(name string) string {
		text, _ := config.Lookup(streams.Environ, name)
		return text
	}
	return value("NO_COLOR") == "" && value("TERM") != "dumb" && (runtime.GOOS != "windows" || value("WT_SESSION") != "")
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
