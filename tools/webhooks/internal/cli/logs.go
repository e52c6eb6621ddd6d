package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

// How often a log that is followed is asked for, and after a failure.
const (
	logPause    = 500 * time.Millisecond
	logMaxPause = 10 * time.Second
)

func newLogs(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logs APP",
		Short: "Show what an app wrote, and go on as it writes",
		Long: `Prints the last lines that an app wrote, the oldest first, each with its time, the
stream (out, or err, where the platform's own words stand as well) and the number
of the drone. With --follow it goes on with what the app writes, each line once,
until Ctrl-C, and waits where the platform is away.

Whatever would control your terminal is taken out of the lines, unless --raw is
given: an app may write what somebody else has sent it.`,
		Example: `  webhooks logs hello --user dscape
  webhooks logs hello -f -n 20 --user dscape
  webhooks logs hello -n 1000 --output json --user dscape`,
		Args: exactly(1),
	}
	l := &logs{}
	cmd.Flags().BoolVarP(&l.follow, "follow", "f", false, "go on until Ctrl-C")
	cmd.Flags().IntVarP(&l.rows, "lines", "n", 100, "how many of the last lines are printed")
	cmd.Flags().BoolVar(&l.raw, "raw", false, "leave the lines as the app wrote them")
	out := outputFlag(cmd)
	return asUser(cmd, streams, 0, func(ctx context.Context, s *session, args []string) error {
		app, err := appArgument(args[0])
		if err != nil {
			return err
		}
		if l.rows < 0 || l.rows > page {
			return &usageError{fmt.Errorf("--lines: %d is not between 0 and %d", l.rows, page)}
		}
		run := *l
		run.session, run.app, run.json = s, app, out.json()
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
	for away := false; ; timer.Reset(pause) {
		select {
		case <-ctx.Done():
			return nil // as was asked for
		case <-timer.C:
		}
		lines, err := f.next(ctx)
		after, passing := core.Retryable(err)
		switch {
		case ctx.Err() != nil:
			return nil
		case passing:
			if !away {
				l.say("%s; trying again", trimmed(err))
			}
			away, pause = true, min(max(2*pause, after), logMaxPause)
			continue
		case err != nil:
			return err
		}
		away, pause = false, logPause
		if err := l.write(lines); err != nil {
			return err
		}
	}
}

// read asks the platform.
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
	Time   time.Time `json:"time"`
	Drone  int       `json:"drone"`
	Stream string    `json:"stream"` // out or err
	Text   string    `json:"text"`
}

func (l *logs) line(w *bufio.Writer, line nodejitsu.LogLine) error {
	told := wireLine{Time: line.Time.UTC(), Drone: line.Drone, Stream: "out", Text: line.Text}
	if line.Stderr {
		told.Stream = "err"
	}
	if !l.raw {
		told.Text = strings.ReplaceAll(printable(told.Text), "\n", " ")
	}
	if l.json {
		text, err := json.Marshal(told)
		if err != nil {
			return err
		}
		_, err = w.Write(append(text, '\n'))
		return err
	}
	_, err := fmt.Fprintf(w, "%s %s.%d %s\n", told.Time.Format("2006-01-02T15:04:05.000Z"), told.Stream, told.Drone, told.Text)
	return err
}
