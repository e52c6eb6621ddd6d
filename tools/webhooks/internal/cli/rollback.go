package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

func newRollback(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollback APP [SNAPSHOT]",
		Short: "Go back to an earlier snapshot of an app",
		Long: `Starts the snapshot before the active one, or the named one, in place of the one
that runs. It is built already, so this takes seconds, and no request is lost.
` + "`webhooks apps view`" + ` lists the snapshots. If the snapshot does not start, nothing
changes. The beginning of a snapshot's id is enough if no other begins with it.`,
		Example: `  webhooks rollback hello --user dscape
  webhooks rollback hello 1.0.0-3f2a9c1d77aa --user dscape`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return &usageError{fmt.Errorf("%s takes an app and optionally a snapshot; see `%[1]s --help`", cmd.CommandPath())}
			}
			return nil
		},
	}
	return asUser(cmd, streams, longCall, func(ctx context.Context, s *session, args []string) error {
		return s.withApp(ctx, args[0], func(app nodejitsu.App) error {
			wanted := ""
			if len(args) == 2 {
				wanted = args[1]
			}
			return s.rollback(ctx, app, wanted)
		})
	})
}

func (s *session) rollback(ctx context.Context, app nodejitsu.App, wanted string) error {
	start := time.Now()
	// Not every platform returns the snapshots with the app.
	all, err := s.client.Snapshots(ctx, s.user, app.Name)
	if err != nil {
		return err
	}
	from, to, err := rollbackTarget(ordered(all), wanted)
	if err != nil {
		return fmt.Errorf("%w; see `webhooks apps view %s`", err, app.Name)
	}
	started, err := s.client.Rollback(ctx, s.user, app.Name, to)
	if refused, ok := startFailure(err); ok && from != "" && from != to {
		return &messageError{fmt.Sprintf("%s did not start: %s\nThe version before it goes on running. Roll back to another snapshot: see `webhooks apps view %s`",
			to, printable(refused.Message), app.Name), err}
	}
	if err != nil {
		return err
	}
	return s.done(map[string]any{"app": app.Name, "from": from, "to": to, "seconds": time.Since(start).Seconds(), "url": started.URL},
		"rolled back %s from %s to %s in %s", app.Name, cmp.Or(from, "nothing"), to, took(start))
}

// rollbackTarget returns the active snapshot and the one to go back to: the
// wanted one, or the last one before the active one that has served.
func rollbackTarget(all []nodejitsu.Snapshot, wanted string) (from, to string, err error) {
	active := slices.IndexFunc(all, func(s nodejitsu.Snapshot) bool { return s.Active })
	if active < 0 {
		active = slices.IndexFunc(all, func(s nodejitsu.Snapshot) bool { return s.Running })
	}
	if active >= 0 {
		from = all[active].ID
	}
	switch {
	case len(all) == 0:
		return "", "", errors.New("the app has no snapshots")
	case wanted != "":
		to, err := snapshotID(all, wanted)
		return from, to, err
	case active < 0:
		return "", "", errors.New("no snapshot is active: name the snapshot to start")
	}
	for i := active - 1; i >= 0; i-- {
		if all[i].Served {
			return from, all[i].ID, nil
		}
	}
	return "", "", fmt.Errorf("no snapshot before %s has served; name one to try it", from)
}

// snapshotID returns the id that is wanted, or that alone begins with it.
func snapshotID(all []nodejitsu.Snapshot, wanted string) (string, error) {
	var found []string
	for _, s := range all {
		if s.ID == wanted {
			return wanted, nil
		}
		if strings.HasPrefix(s.ID, wanted) {
			found = append(found, s.ID)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("no snapshot %.100q", wanted)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%s is the beginning of %d snapshots: %s", wanted, len(found), printable(some(found)))
}

// ordered returns snapshots in the order of their creation.
func ordered(all []nodejitsu.Snapshot) []nodejitsu.Snapshot {
	return slices.SortedStableFunc(slices.Values(all), func(a, b nodejitsu.Snapshot) int { return a.CTime.Compare(b.CTime.Time) })
}
