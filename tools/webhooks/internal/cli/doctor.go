package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/app"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/doctor"
)

func newDoctor(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check whether this machine has what the server needs",
		Long: `Checks, with the settings of the server: its user and control groups, Node.js and
npm, the data folder and its disk, the ports, Redis, the connection to GitHub, the
clock, DNS and the certificate. Says what to do about each problem. The exit code is
1 if something has failed.`,
		Example: `  webhooks doctor
  webhooks doctor --domain example.com --output json`,
		Args: exactly(0),
	}
	settings := config.Declare(cmd.Flags())
	settings.Show("data", "domain", "listen", "platform-listen", "apps-listen", "redis", "platform-url", "disk-budget", "tls-cert", "tls-key", "github-url")
	p := newPrinter(cmd, streams)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load(settings, streams)
		if err != nil {
			return err
		}
		o := doctor.Options{Config: cfg}
		if len(cfg.Redis) > 0 {
			o.Store = func(ctx context.Context) error { return app.CheckRedis(ctx, cfg) }
		}
		found := doctor.Check(cmd.Context(), o, 15*time.Second)
		err = p.result(found, func() error { return p.states(findings(found), 0) })
		if err == nil && doctor.Worst(found) == doctor.Failed {
			return exitCode(1)
		}
		return err
	}
	return cmd
}

func findings(all []doctor.Finding) (rows [][]string) {
	for _, f := range all {
		rows = append(rows, []string{strings.ToUpper(string(f.Result)), f.Check, f.Text})
		if f.Do != "" {
			rows = append(rows, []string{"", "", "→ " + f.Do})
		}
	}
	return rows
}
