package apps

import (
	"errors"
	"slices"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// Line is a line of an app's log.
type Line struct {
	runner.Line
	App string
}

// Logs returns the last rows lines of an app's log from `from` until `until`,
// the newest first; a zero time means unbounded.
func (a *Apps) Logs(user, app string, from, until time.Time, rows int) ([]Line, error) {
	if _, err := a.docs.find(user, app); err != nil {
		return nil, err
	}
	lines, err := a.o.Runner.Logs(user, app, from, until, rows)
	if err != nil {
		return nil, wrapped("reading the log", err)
	}
	found := make([]Line, len(lines))
	for i, line := range lines {
		found[len(lines)-1-i] = Line{Line: line, App: app}
	}
	return found, nil
}

// AllLogs returns the last rows lines of all apps of a user, as Logs does.
func (a *Apps) AllLogs(user string, from, until time.Time, rows int) ([]Line, error) {
	documents, err := a.docs.all(user)
	var found []Line
	for _, d := range documents {
		lines, failure := a.Logs(user, d.Name, from, until, rows)
		err = errors.Join(err, failure)
		found = append(found, lines...)
	}
	slices.SortStableFunc(found, func(a, b Line) int { return b.Time.Compare(a.Time) })
	return found[:min(rows, len(found))], err
}
