package cli

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

// The pause between two readings of a log, and its limit after failures.
const (
	logPause    = 500 * time.Millisecond
	logMaxPause = 10 * time.Second
)

func newLogs(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logs APP",
		Short: "Show the log of an app, and follow it",
		Long: `Prints the last lines of an app's log, the oldest first, each with its time, the
stream (out, or err, which has the platform's own messages too), and the process
(web, or as the Procfile names it) with the number of its drone. With --follow it prints new lines, each once, until Ctrl-C, and waits
while the platform is unavailable.

Control characters for your terminal are removed from the lines, unless --raw is
set: an app may log what others have sent to it.`,
		Example: `  webhooks logs hello --user dscape
  webhooks logs hello -f -n 20 --user dscape
  webhooks logs hello -n 1000 --output json --user dscape`,
		Args: exactly(1),
	}
	l := &logs{}
	cmd.Flags().BoolVarP(&l.follow, "follow", "f", false, "print new lines until Ctrl-C")
	cmd.Flags().IntVarP(&l.rows, "lines", "n", 100, "number of lines to print first")
	cmd.Flags().BoolVar(&l.raw, "raw", false, "keep control characters")
	return asUser(cmd, streams, 0, func(ctx context.Context, s *session, args []string) error {
		app := args[0]
		if err := checkName("app", app); err != nil {
			return err
		}
		if l.rows < 0 || l.rows > page {
			return &usageError{fmt.Errorf("--lines: must be between 0 and %d, not %d", page, l.rows)}
		}
		run := *l
		run.session, run.app, run.json = s, app, s.output.json()
		return run.print(ctx)
	})
}

// logs is one call of `webhooks logs`.
type logs struct {
	*session
	app               string
	rows              int
	follow, raw, json bool
}

func (l *logs) print(ctx context.Context) error {
	f := &follower{read: l.read}
	lines, err := f.last(ctx, l.rows)
	if err != nil {
		return err
	}
	if err := l.write(lines); err != nil || !l.follow {
		return err
	}
	pause := logPause
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for unavailable := false; ; timer.Reset(pause) {
		select {
		case <-ctx.Done():
			return nil // Ctrl-C
		case <-timer.C:
		}
		lines, err := f.next(ctx)
		after, temporary := core.Retryable(err)
		switch {
		case ctx.Err() != nil:
			return nil
		case temporary:
			if !unavailable {
				l.say("%s; trying again", cleaned(err))
			}
			unavailable, pause = true, min(max(2*pause, after), logMaxPause)
			continue
		case err != nil:
			return err
		}
		unavailable, pause = false, logPause
		if err := l.write(lines); err != nil {
			return err
		}
	}
}

// read reads lines from the platform.
func (l *logs) read(ctx context.Context, from, until time.Time, n int) ([]nodejitsu.LogLine, error) {
	ctx, cancel := context.WithTimeout(ctx, shortCall)
	defer cancel()
	return l.client.LogsBetween(ctx, l.user, l.app, from, until, n)
}

// write prints lines.
func (l *logs) write(lines []nodejitsu.LogLine) error {
	w := bufio.NewWriter(l.streams.Stdout)
	for _, line := range lines {
		if err := l.line(w, line); err != nil {
			return err
		}
	}
	return w.Flush()
}

// wireLine is a line as --output json prints it.
type wireLine struct {
	Time    time.Time `json:"time"`
	Process string    `json:"process"` // as the Procfile names it
	Drone   int       `json:"drone"`
	Stream  string    `json:"stream"` // out or err
	Text    string    `json:"text"`
}

func (l *logs) line(w *bufio.Writer, line nodejitsu.LogLine) error {
	shown := wireLine{Time: line.Time.UTC(), Process: cmp.Or(line.Process, "web"), Drone: line.Drone, Stream: "out", Text: line.Text}
	if line.Stderr {
		shown.Stream = "err"
	}
	if !l.raw {
		shown.Text = strings.ReplaceAll(printable(shown.Text), "\n", " ")
	}
	if l.json {
		text, err := json.Marshal(shown)
		if err != nil {
			return err
		}
		_, err = w.Write(append(text, '\n'))
		return err
	}
	source := "platform"
	if shown.Drone > 0 {
		source = fmt.Sprintf("%s.%d", shown.Process, shown.Drone)
	}
	_, err := fmt.Fprintf(w, "%s %s %s %s\n", shown.Time.Format("2006-01-02T15:04:05.000Z"), shown.Stream, source, shown.Text)
	return err
}
