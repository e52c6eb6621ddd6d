package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi/client"
)

func newTail(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tail [APP]",
		Short: "Follow deployments live",
		Long: `Prints the changes of a user's entries, or of one app's, as they happen, until
Ctrl-C: each step with the time it took, the output of builds, and the outcome.
If the connection is lost, it connects again and resumes without a gap.

--output json prints each change as a line of JSON.`,
		Example: `  webhooks tail --user dscape
  webhooks tail hello --since 0 --user dscape
  webhooks tail --user ci --output json | jq -r .status`,
		Args: optionalApp,
	}
	since := cmd.Flags().String("since", "now", "now, 0 for all changes that are kept, or the seq of a change")
	once := cmd.Flags().Bool("once", false, "end after the changes that there are, with --since")
	return onAPI(cmd, streams, 0, func(ctx context.Context, s *apiSession, args []string) error {
		show := (&tailPrinter{s: s, output: map[string]string{}, last: map[string]string{}}).show
		if s.output.json() {
			show = s.showJSON
		}
		feed := s.api.Feed(ctx, client.FeedOptions{
			Since: *since, Docs: core.DocAlways, App: first(args), Once: *once,
			Disconnected: func(err error, _ time.Duration) { s.say("connection lost: %s; trying again", printable(err.Error())) },
		})
		for change, err := range feed {
			switch {
			case errors.Is(err, context.Canceled):
				return nil // Ctrl-C
			case err != nil:
				return err
			}
			if err := show(change); err != nil {
				return err
			}
		}
		return nil
	})
}

// showJSON prints a change as a line of JSON.
func (s *apiSession) showJSON(change client.Change) error {
	line, err := json.Marshal(change)
	if err != nil {
		return err
	}
	_, err = s.streams.Stdout.Write(append(line, '\n'))
	return err
}

// tailPrinter prints changes for a person.
type tailPrinter struct {
	s      *apiSession
	output map[string]string // by entry: the part of its output that was printed
	last   map[string]string // by entry: the line that was printed last
}

// show prints the new output of an entry and, if it differs from the last, a
// line with its state.
func (p *tailPrinter) show(change client.Change) error {
	e := change.Doc
	output := strings.TrimPrefix(e.Output, p.output[e.ID])
	p.output[e.ID] = e.Output
	for line := range strings.Lines(output) {
		if err := p.s.printf("         | %s\n", oneLine(strings.TrimRight(line, "\r\n"))); err != nil {
			return err
		}
	}
	step := ""
	if n := len(e.Steps); n > 0 {
		last := e.Steps[n-1]
		step = strings.TrimSpace(fmt.Sprintf("%s %s %s", last.Name, last.State, duration(last)))
	}
	about := reasonOf(*e)
	if change.Status == core.StatusOK && e.URL != "" {
		about = strings.TrimSpace(e.URL + " " + about)
	}
	line := fmt.Sprintf("%s %s %s", oneLine(fmt.Sprintf("%-20s", dash(appOf(*e)))), p.s.state(fmt.Sprintf("%-8s", change.Status)),
		oneLine(strings.TrimRight(fmt.Sprintf("%-22s %s", step, about), " ")))
	if p.last[e.ID] == line {
		return nil
	}
	p.last[e.ID] = line
	if change.Status.Outcome() {
		delete(p.output, e.ID)
		delete(p.last, e.ID)
	}
	_, err := fmt.Fprintln(p.s.streams.Stdout, e.UpdatedAt.Local().Format(time.TimeOnly), strings.TrimRight(line, " "))
	return err
}
