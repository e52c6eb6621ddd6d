package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

func newApps(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "apps",
		Short: "List, start, stop and change your apps on a platform",
		Long: `Calls a platform as one of its users. Set your user name by --user or
WEBHOOKS_USER, and your password or API token by WEBHOOKS_PASSWORD or
--password-file; otherwise you are prompted. --to sets the platform's URL.`,
		Example: `  webhooks apps list --user dscape
  webhooks apps env set hello GREETING=hi --user dscape
  webhooks apps restart hello --user dscape`,
	}
	return group(cmd, newAppsList(streams), newAppsView(streams), newAppsCreate(streams), newAppsStart(streams), newAppsStop(streams),
		newAppsRestart(streams), newAppsDestroy(streams), newAppsEnv(streams), newAppsDrones(streams), newAppsLimits(streams),
		newAppsDomains(streams), newAppsSource(streams))
}

func newAppsList(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List your apps",
		Long: `Lists your apps: name, state, drones that run and are wanted, the snapshot that
runs, and the URL.`,
		Example: "  webhooks apps list --user dscape\n  webhooks apps list --user dscape --output json",
		Args:    exactly(0),
	}
	return asUser(cmd, streams, shortCall, func(ctx context.Context, s *session, _ []string) error {
		apps, err := s.client.Apps(ctx, s.user)
		if err != nil {
			return err
		}
		shown := make([]nodejitsu.App, len(apps)) // [] if there are none
		for i, app := range apps {
			shown[i] = withoutSecrets(app)
		}
		return s.result(shown, func() error {
			if len(apps) == 0 {
				s.say("%s has no apps; create one by `webhooks deploy`", s.user)
				return nil
			}
			rows := [][]string{{"APP", "STATE", "DRONES", "SNAPSHOT", "URL"}}
			for _, app := range apps {
				rows = append(rows, []string{app.Name, app.State, drones(app), idOf(app.Running), app.URL})
			}
			return s.states(rows, 1)
		})
	})
}

func newAppsView(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "view APP",
		Short: "Show an app",
		Long: `Shows an app with its snapshots, the newest first; the next start uses the active
one. Of the environment only the names are shown; for the values see
` + "`webhooks apps env list`" + `.`,
		Example: "  webhooks apps view hello --user dscape",
		Args:    exactly(1),
	}
	return asUser(cmd, streams, shortCall, func(ctx context.Context, s *session, args []string) error {
		return s.withApp(ctx, args[0], func(app nodejitsu.App) error {
			return s.result(withoutSecrets(app), func() error { return s.show(app) })
		})
	})
}

func newAppsCreate(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create APP",
		Short: "Create an app without deploying it",
		Long: `Creates an app without a snapshot, for example to set its environment before the
first deployment. ` + "`webhooks deploy`" + ` creates a missing app itself.`,
		Example: "  webhooks apps create hello --subdomain hi --domain hello.example.com --user dscape",
		Args:    exactly(1),
	}
	subdomain := cmd.Flags().String("subdomain", "", "subdomain of the app; default: its name")
	domains := cmd.Flags().StringSlice("domain", nil, "another domain of the app")
	return asUser(cmd, streams, shortCall, func(ctx context.Context, s *session, args []string) error {
		app := args[0]
		if err := checkName("app", app); err != nil {
			return err
		}
		fields := map[string]any{"name": app}
		if *subdomain != "" {
			fields["subdomain"] = *subdomain
		}
		if len(*domains) > 0 {
			fields["domains"] = *domains
		}
		if err := s.client.CreateApp(ctx, s.user, app, fields); err != nil {
			return err
		}
		return s.after(ctx, app, "created")
	})
}

func newAppsStart(streams IO) *cobra.Command {
	return newAppsCommand(streams, "start", "started", "Start an app's active snapshot",
		"Starts the active snapshot in place of the one that runs, without losing a request, and returns when it answers.",
		func(ctx context.Context, s *session, app string) error {
			_, err := s.client.StartApp(ctx, s.user, app)
			return err
		})
}

func newAppsStop(streams IO) *cobra.Command {
	return newAppsCommand(streams, "stop", "stopped", "Stop an app",
		"Ends the drones of an app, and returns when all have ended.",
		func(ctx context.Context, s *session, app string) error { return s.client.StopApp(ctx, s.user, app) })
}

func newAppsRestart(streams IO) *cobra.Command {
	return newAppsCommand(streams, "restart", "restarted", "Restart an app",
		"Restarts an app with its current environment, without losing a request, and returns when it answers.",
		func(ctx context.Context, s *session, app string) error { return s.client.RestartApp(ctx, s.user, app) })
}

func newAppsCommand(streams IO, use, done, short, long string, do func(ctx context.Context, s *session, app string) error) *cobra.Command {
	cmd := &cobra.Command{
		Use: use + " APP", Short: short, Long: long, Example: "  webhooks apps " + use + " hello --user dscape", Args: exactly(1),
	}
	return asUser(cmd, streams, longCall, func(ctx context.Context, s *session, args []string) error {
		app := args[0]
		if err := checkName("app", app); err != nil {
			return err
		}
		if err := do(ctx, s, app); err != nil {
			return err
		}
		return s.after(ctx, app, done)
	})
}

func newAppsDestroy(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "destroy APP",
		Short: "Stop an app and remove it",
		Long: `Stops an app and removes it with its snapshots, its environment, its log and its
data ($DATA_DIR). This cannot be undone: you are asked to confirm it, unless --yes is set.`,
		Example: "  webhooks apps destroy hello --user dscape\n  webhooks apps destroy hello --yes --user ci",
		Args:    exactly(1),
	}
	yes := cmd.Flags().Bool("yes", false, "do not ask for confirmation")
	return asUser(cmd, streams, longCall, func(ctx context.Context, s *session, args []string) error {
		return s.withApp(ctx, args[0], func(app nodejitsu.App) error {
			if !*yes {
				sure, err := confirmed(ctx, s.streams, fmt.Sprintf("Destroy %s of %s, with its data, its log and %s?", app.Name, s.user, count(len(app.Snapshots), "snapshot", "snapshots")))
				if err != nil {
					return err
				}
				if !sure {
					s.say("nothing was destroyed")
					return exitCode(1)
				}
			}
			if err := s.client.DestroyApp(ctx, s.user, app.Name); err != nil {
				return err
			}
			return s.done(named("destroyed", app.Name), "destroyed %s", app.Name)
		})
	})
}

func newAppsDrones(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drones APP NUMBER",
		Short: "Set the number of processes of an app",
		Long: `Sets the number of drones of an app, which are processes that share its requests.
If the app runs, the command returns when that many answer.`,
		Example: "  webhooks apps drones hello 3 --user dscape",
		Args:    exactly(2),
	}
	return asUser(cmd, streams, longCall, func(ctx context.Context, s *session, args []string) error {
		number, err := strconv.Atoi(args[1])
		if err != nil || number < 1 {
			return &usageError{fmt.Errorf("invalid number of drones %.100q: want 1 or more", args[1])}
		}
		return s.withApp(ctx, args[0], func(app nodejitsu.App) error {
			if err := s.client.SetCloud(ctx, s.user, app.Name, []nodejitsu.Cloud{{Drones: number}}); err != nil {
				return err
			}
			return s.after(ctx, app.Name, "changed the drones of")
		})
	})
}

func newAppsLimits(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "limits APP",
		Short: "Show or set the limits of an app",
		Long: `Shows the limits of an app, or sets those that flags name: memory, processors, and
processes and threads of each drone, and the number of drones. If the app runs, its
drones are replaced without losing a request, and the command returns when they
answer. If they crash with the new limits, those before apply again.`,
		Example: `  webhooks apps limits hello --user dscape
  webhooks apps limits hello --memory 512 --cpus 1.5 --user dscape`,
		Args: exactly(1),
	}
	memory := cmd.Flags().Int("memory", 0, "MiB of memory of a drone")
	cpus := cmd.Flags().Float64("cpus", 0, "processors of a drone; 0 for no limit")
	processes := cmd.Flags().Int("processes", 0, "processes and threads of a drone")
	number := cmd.Flags().Int("drones", 0, "number of drones")
	return asUser(cmd, streams, longCall, func(ctx context.Context, s *session, args []string) error {
		return s.withApp(ctx, args[0], func(app nodejitsu.App) error {
			change := nodejitsu.Cloud{RAM: *memory, Drones: *number, Processes: *processes}
			if cmd.Flags().Changed("cpus") {
				change.CPUs = cpus
			}
			for flag, value := range map[string]int{"memory": *memory, "drones": *number, "processes": *processes} {
				if cmd.Flags().Changed(flag) && value < 1 {
					return &usageError{fmt.Errorf("--%s: must be positive", flag)}
				}
			}
			if change != (nodejitsu.Cloud{}) {
				if err := s.client.SetCloud(ctx, s.user, app.Name, []nodejitsu.Cloud{change}); err != nil {
					return err
				}
			}
			cloud, err := s.client.Cloud(ctx, s.user, app.Name)
			if err != nil {
				return err
			}
			if len(cloud) == 0 {
				return fmt.Errorf("%s has no datacenter, so no limits", app.Name)
			}
			return s.result(cloud[0], func() error { return s.showLimits(cloud[0]) })
		})
	})
}

func (s *session) showLimits(c nodejitsu.Cloud) error {
	cpus, processes := "no limit", "the platform's default"
	if c.CPUs != nil {
		cpus = strconv.FormatFloat(*c.CPUs, 'g', -1, 64)
	}
	if c.Processes > 0 {
		processes = strconv.Itoa(c.Processes)
	}
	return s.table([][]string{
		{"drones", strconv.Itoa(c.Drones)}, {"memory", fmt.Sprintf("%d MiB", c.RAM)}, {"cpus", cpus}, {"processes", processes},
	})
}

// withApp calls do with the app that an argument names.
func (s *session) withApp(ctx context.Context, name string, do func(app nodejitsu.App) error) error {
	if err := checkName("app", name); err != nil {
		return err
	}
	app, err := s.client.App(ctx, s.user, name)
	if err != nil {
		return err
	}
	return do(app)
}

// after prints the state of an app after a change.
func (s *session) after(ctx context.Context, name, done string) error {
	app, err := s.client.App(ctx, s.user, name)
	if err != nil {
		return err
	}
	about := []string{app.State}
	if app.State == "started" {
		about = append(about, drones(app)+" drones", app.URL)
	}
	return s.done(withoutSecrets(app), "%s %s: %s", done, app.Name, strings.Join(about, ", "))
}

// withoutSecrets returns an app with *** for the secrets in its environment.
func withoutSecrets(app nodejitsu.App) nodejitsu.App {
	app.Env = concealed(app.Env)
	return app
}

// show prints an app.
func (s *session) show(app nodejitsu.App) error {
	state := app.State
	if app.Reason != "" {
		state += ": " + app.Reason
	}
	rows := [][]string{{"app", app.Name}, {"state", state}, {"drones", drones(app)}, {"url", app.URL}}
	if app.Memory > 0 {
		rows = append(rows, []string{"memory", fmt.Sprintf("%d MiB", app.Memory>>20)})
	}
	if len(app.Domains) > 0 {
		rows = append(rows, []string{"domains", strings.Join(app.Domains, ", ")})
	}
	if len(app.Env) > 0 {
		rows = append(rows, []string{"env", strings.Join(sortedNames(app.Env), ", ")})
	}
	rows = append(rows, []string{"changed", moment(app.MTime)})
	snapshots := ordered(app.Snapshots)
	for i := range snapshots {
		snapshot := snapshots[len(snapshots)-1-i]
		about := snapshot.ID + ", " + moment(snapshot.CTime)
		if snapshot.Active {
			about += ", active"
		}
		if snapshot.Running {
			about += ", running"
		}
		if !snapshot.Served {
			about += ", has never served"
		}
		rows = append(rows, []string{"snapshot", about})
	}
	return s.table(rows)
}

// moment formats a time of the platform.
func moment(t nodejitsu.Time) string {
	if t.IsZero() {
		return "?"
	}
	return t.UTC().Format(time.DateTime) + " UTC"
}

// drones formats how many drones run, and how many are wanted.
func drones(app nodejitsu.App) string {
	if app.MaxDrones == 0 {
		return strconv.Itoa(app.Drones)
	}
	return fmt.Sprintf("%d of %d", app.Drones, app.MaxDrones)
}

func idOf(s *nodejitsu.Snapshot) string {
	if s == nil {
		return "-"
	}
	return s.ID
}
