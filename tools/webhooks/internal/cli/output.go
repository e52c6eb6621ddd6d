package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// output is the form in which a command prints.
type output string

// outputFlag adds --output.
func outputFlag(cmd *cobra.Command) *output {
	o := output("text")
	cmd.Flags().Var(&o, "output", "`text|json`; json is for programs")
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

// writeJSON writes a value for programs.
func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
