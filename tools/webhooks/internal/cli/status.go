package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi/client"
)

func newStatus(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status [APP]",
		Short: "List the last entries: deliveries, and what became of them",
		Long: `Lists the last entries of a user, or of one app, the newest first: id, app, status,
age, branch, commit and reason. An entry is the record of a delivery, or of another
command that changed what an app runs. ` + "`webhooks entry ID`" + ` shows one in full.`,
		Example: `  webhooks status --user dscape
  webhooks status hello -n 5 --user dscape
  webhooks status hello --user dscape --output json --url https://webhooks.example.com`,
		Args: optionalApp,
	}
	limit := cmd.Flags().IntP("number", "n", 20, "number of entries, at most 100")
	skip := cmd.Flags().Int("skip", 0, "number of newer entries to skip")
	return onAPI(cmd, streams, shortCall, func(ctx context.Context, s *apiSession, args []string) error {
		page, err := s.api.Status(ctx, first(args), *skip, *limit)
		if err != nil {
			return err
		}
		return s.result(append([]core.Entry{}, page.Entries...), func() error { return s.showPage(page, *skip) })
	})
}

// showPage prints a line for each entry of a page.
func (s *apiSession) showPage(page client.Page, skipped int) error {
	if len(page.Entries) == 0 {
		s.say("no entries")
		return nil
	}
	rows := [][]string{{"ID", "APP", "STATUS", "AGE", "BRANCH", "COMMIT", "REASON"}}
	for _, e := range page.Entries {
		rows = append(rows, []string{
			e.ID, dash(appOf(e)), string(e.Status), age(e.CreatedAt), dash(e.Branch), dash(shortCommit(e.Commit.ID)), dash(reasonOf(e)),
		})
	}
	if err := s.states(rows, 2); err != nil {
		return err
	}
	if rest := page.Total - skipped - len(page.Entries); rest > 0 {
		s.say("%s: see --number and --skip", count(rest, "older entry", "older entries"))
	}
	return nil
}

// optionalApp accepts one argument, the name of an app, or none.
func optionalApp(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return &usageError{fmt.Errorf("%s takes at most one app, not %d; see `%[1]s --help`", cmd.CommandPath(), len(args))}
	}
	if len(args) == 1 {
		return checkName("app", args[0])
	}
	return nil
}

// first returns the first argument, or "".
func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func newEntry(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "entry ID",
		Short: "Show an entry with its steps and output",
		Long: `Shows an entry in full: what was delivered and answered, each step of its deployment with the
time it took, the output of the build, and why it ended as it did. Instead of an id,
its first digits are enough if no other entry begins with them.`,
		Example: `  webhooks entry 0198c2a1d4e07b3c9f5e6a7b8c9d0e1f --user dscape
  webhooks entry 0198c2a1d4e07b3c9f5e6a7b8c9d0e1f --user dscape --output json | jq -r .doc.output`,
		Args: entryID,
	}
	return onAPI(cmd, streams, shortCall, func(ctx context.Context, s *apiSession, args []string) error {
		id, err := s.entryID(ctx, args[0])
		if err != nil {
			return err
		}
		change, err := s.api.Entry(ctx, id)
		if err != nil {
			return err
		}
		return s.result(change, func() error { return s.showEntry(*change.Doc, change.Answer) })
	})
}

func newRelease(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "release ID",
		Short: "Deploy a held push without its CI report",
		Long: `Releases a push that is held until CI reports on its commit, so that it is deployed
without the report. Prints the status after that.`,
		Example: `  webhooks release 0198c2a1d4e07b3c9f5e6a7b8c9d0e1f --user dscape
  webhooks release 0198c2a1d4e07b3c9f5e6a7b8c9d0e1f --user dscape --wait 1m`,
		Args: entryID,
	}
	wait := cmd.Flags().Duration("wait", 0, "how long to wait for the outcome, at most 1m")
	return onAPI(cmd, streams, 2*time.Minute, func(ctx context.Context, s *apiSession, args []string) error {
		id, err := s.entryID(ctx, args[0])
		if err != nil {
			return err
		}
		change, err := s.api.Release(ctx, id, *wait)
		if err != nil {
			return err
		}
		return s.changed(change)
	})
}

func newRedeliver(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "redeliver ID",
		Short: "Deliver a payload again",
		Long: `Delivers the payload of an earlier delivery again, so that its commit is deployed
again, even if the app runs it already or something newer. Prints the new entry and
its status.`,
		Example: `  webhooks redeliver 0198c2a1d4e07b3c9f5e6a7b8c9d0e1f --user dscape
  webhooks redeliver 0198c2a1d4e07b3c9f5e6a7b8c9d0e1f --user dscape --wait 1m`,
		Args: entryID,
	}
	wait := cmd.Flags().Duration("wait", 0, "how long to wait for the outcome, at most 1m")
	return onAPI(cmd, streams, 2*time.Minute, func(ctx context.Context, s *apiSession, args []string) error {
		id, err := s.entryID(ctx, args[0])
		if err != nil {
			return err
		}
		change, err := s.api.Redeliver(ctx, id, *wait)
		if err != nil {
			return err
		}
		return s.changed(change)
	})
}

func newCancel(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cancel ID",
		Short: "Cancel a deployment that is pending or held",
		Long: `Cancels a deployment that waits or is being built. Once the app is being started it
is too late: see ` + "`webhooks rollback`" + `.`,
		Example: "  webhooks cancel 0198c2a1d4e07b3c9f5e6a7b8c9d0e1f --user dscape",
		Args:    entryID,
	}
	return onAPI(cmd, streams, shortCall, func(ctx context.Context, s *apiSession, args []string) error {
		id, err := s.entryID(ctx, args[0])
		if err != nil {
			return err
		}
		change, err := s.api.Cancel(ctx, id)
		if err != nil {
			return err
		}
		return s.changed(change)
	})
}

// changed prints a change in short.
func (s *apiSession) changed(change client.Change) error {
	return s.done(change, "%s", strings.TrimSpace(fmt.Sprintf("%s %s %s", change.EntryID(), change.Status, change.Reason)))
}

// showEntry prints an entry.
func (s *apiSession) showEntry(e core.Entry, answer *client.Answer) error {
	rows := [][]string{
		{"id", e.ID},
		{"status", string(e.Status)},
		{"app", appOf(e)},
		{"event", string(e.Provider) + " " + e.Event},
		{"by", e.By},
		{"repository", strings.Trim(e.Repository.Slug(), "/")},
		{"branch", e.Branch},
		{"commit", e.Commit.ID},
		{"message", strings.SplitN(e.Commit.Message, "\n", 2)[0]},
		{"author", e.Commit.Author.Name},
		{"received", timeOf(e.CreatedAt)},
		{"finished", timeOf(e.FinishedAt)},
		{"reason", reasonOf(e)},
		{"url", e.URL},
		{"snapshot", e.Snapshot},
	}
	if e.Error != nil {
		rows = append(rows, []string{"error", string(e.Error.Code)}, []string{"detail", e.Error.Detail})
	}
	if answer != nil {
		rows = append(rows, []string{"answer", fmt.Sprintf("%d %s", answer.Status, answer.Body)})
	}
	for _, note := range e.Notes {
		rows = append(rows, []string{"note", note})
	}
	var filled [][]string
	for _, row := range rows {
		if row[1] != "" {
			filled = append(filled, row)
		}
	}
	if err := s.table(filled); err != nil {
		return err
	}
	if len(e.Steps) > 0 {
		steps := [][]string{{"STEP", "STATE", "ATTEMPT", "TIME", "DETAIL"}}
		for _, step := range e.Steps {
			steps = append(steps, []string{string(step.Name), string(step.State), fmt.Sprint(step.Attempt), duration(step), step.Detail})
		}
		if err := s.printf("\n"); err != nil {
			return err
		}
		if err := s.states(steps, 1); err != nil {
			return err
		}
	}
	if e.Output == "" {
		return nil
	}
	return s.printf("\n%s\n", strings.TrimRight(e.Output, "\n"))
}

// appOf returns the name of the entry's app or, if it is not known yet, of the
// repository.
func appOf(e core.Entry) string {
	if e.App != "" {
		return e.App
	}
	return strings.Trim(e.Repository.Slug(), "/")
}

// reasonOf returns why an entry has its status.
func reasonOf(e core.Entry) string {
	if e.Status == core.StatusError && e.Error != nil {
		return e.Error.Reason
	}
	return e.Reason
}

func shortCommit(id string) string { return id[:min(len(id), 7)] }

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func timeOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05 MST")
}

// age formats the time since t.
func age(t time.Time) string {
	d := max(time.Since(t), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// duration formats how long a step took, or "" if it is running.
func duration(step core.Step) string {
	if step.State == core.StepRunning {
		return ""
	}
	d := time.Duration(step.Millis) * time.Millisecond
	if d >= 10*time.Second {
		d = d.Round(100 * time.Millisecond)
	}
	return d.String()
}
