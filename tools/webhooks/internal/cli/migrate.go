package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/app"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/migrate"
)

func newMigrate(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Copy the log, the queue and the changes of the data folder into Redis",
		Long: `Copies what a server has kept in its data folder into the Redis that several
servers are to share, and reads it back to compare. The server must be stopped
meanwhile. Nothing is removed from the folder, and what is in Redis already is
passed over, so that a migration that was broken off can be run again. What
servers have changed in Redis since is left as it is.

The platform's users and apps stay where they are: start the platform with
` + "`webhooks platform`" + ` on the same data folder, and the servers with --platform-url.`,
		Example: `  webhooks migrate --data /var/lib/webhooks --redis 10.0.0.7:6379
  webhooks migrate --redis a:26379,b:26379,c:26379 --redis-master mymaster --redis-password-file /etc/redis.password`,
		Args: exactly(0),
	}
	config.Flags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load(cmd, streams)
		if err != nil {
			return err
		}
		if len(cfg.Redis) == 0 {
			return &usageError{errors.New("name the Redis with --redis, as for `webhooks serve`")}
		}
		return migrateStore(cmd.Context(), streams, cfg)
	}
	return cmd
}

func migrateStore(ctx context.Context, streams IO, cfg config.Config) (err error) {
	if _, err := os.Stat(cfg.StorePath()); err != nil {
		return fmt.Errorf("there is no store to copy: %w; name the server's folder with --data", err)
	}
	log := slog.New(slog.NewTextHandler(streams.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	from := app.NewFile(cfg, log)
	if err := from.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Stop(context.WithoutCancel(ctx))) }()
	to, err := app.NewRedis(cfg, log)
	if err != nil {
		return err
	}
	if err := to.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Stop(context.WithoutCancel(ctx))) }()

	var told time.Time
	report, err := migrate.Run(ctx, from, to, func(r migrate.Report) {
		if now := time.Now(); now.Sub(told) > time.Second {
			told = now
			_, _ = fmt.Fprintf(streams.Stderr, "%s: %d entries, %d changes, %d compared\n", r.Doing, r.Entries, r.Changes, r.Verified)
		}
	})
	if err != nil {
		return fmt.Errorf("%w; run it again to go on", err)
	}
	compared := "all were compared"
	if report.Passed > 0 {
		compared = fmt.Sprintf("%d were compared, and %d left as they are, as servers have used Redis since an earlier migration",
			report.Verified, report.Passed)
	}
	_, err = fmt.Fprintf(streams.Stdout, "%d entries (%d new) and %d changes (%d new) of %d users were copied to Redis; %s\n",
		report.Entries, report.Added, report.Changes, report.Appended, report.Users, compared)
	return err
}
