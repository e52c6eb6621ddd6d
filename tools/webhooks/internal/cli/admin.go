package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/adapters/bolt"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

func newAdmin(streams IO) *cobra.Command {
	return group(
		&cobra.Command{
			Use:   "admin",
			Short: "Check, back up and compact the databases of a stopped server",
			Long: `Maintains the databases in the data folder: webhooks.db, with the log, the queue
and the changes, and platform/platform.db, with the users and the apps. Stop the
server first.`,
			Example: `  webhooks admin check
  webhooks admin backup /backup/today`,
		},
		newAdminCheck(streams), newAdminBackup(streams), newAdminCompact(streams))
}

func newAdminCheck(streams IO) *cobra.Command {
	return admin(streams, &cobra.Command{
		Use:   "check",
		Short: "Check the databases for damage",
		Long: `Reads each database completely and reports what is damaged; the exit code is 1
then. Replace a damaged database by its last backup.`,
		Example: `  webhooks admin check --data /var/lib/webhooks`,
		Args:    exactly(0),
	}, func(ctx context.Context, _ config.Config, path, _ string) (string, error) {
		return "no damage", bolt.CheckFile(ctx, path)
	})
}

func newAdminBackup(streams IO) *cobra.Command {
	return admin(streams, &cobra.Command{
		Use:   "backup FOLDER",
		Short: "Copy the databases to a folder",
		Long: `Copies each database to the same path below a folder, which is created. No file
is overwritten. To restore, copy the files back.

The copies contain what is needed to act for every user: keep them as safe as the
data folder. The snapshots of the apps, in platform/archives, and the keys, in
platform/*.key and platform/seal.keys, are plain files; copy them too.`,
		Example: `  webhooks admin backup "/backup/$(date +%F)" --data /var/lib/webhooks`,
		Args:    exactly(1),
	}, func(_ context.Context, cfg config.Config, path, folder string) (string, error) {
		below, err := filepath.Rel(cfg.Data, path)
		if err != nil {
			return "", err
		}
		to := filepath.Join(folder, below)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return "", err
		}
		copied, err := bolt.CopyFile(path, to)
		return size(copied) + " copied to " + to, err
	})
}

func newAdminCompact(streams IO) *cobra.Command {
	return admin(streams, &cobra.Command{
		Use:     "compact",
		Short:   "Release unused space of the databases",
		Long:    "Rewrites each database without the space that it does not use any more.",
		Example: `  webhooks admin compact --data /var/lib/webhooks`,
		Args:    exactly(0),
	}, func(_ context.Context, _ config.Config, path, _ string) (string, error) {
		before, after, err := bolt.CompactFile(path)
		return size(before) + " before, " + size(after) + " now", err
	})
}

// admin makes cmd call do for each database in the data folder, and print the
// result.
func admin(streams IO, cmd *cobra.Command, do func(ctx context.Context, cfg config.Config, path, arg string) (string, error)) *cobra.Command {
	settings := config.Declare(cmd.Flags())
	settings.Show("data")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := load(settings, streams)
		if err != nil {
			return err
		}
		arg := ""
		if len(args) > 0 {
			arg = args[0]
		}
		var failures []error
		found := false
		for _, path := range []string{cfg.StorePath(), cfg.PlatformStorePath()} {
			if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
				continue // on another server, or in Redis
			}
			found = true
			_, _ = fmt.Fprintf(streams.Stderr, "%s …\n", path)
			result, err := do(cmd.Context(), cfg, path, arg)
			if err != nil {
				failures = append(failures, err)
				continue
			}
			_, _ = fmt.Fprintf(streams.Stdout, "%s: %s\n", path, result)
		}
		if !found {
			return fmt.Errorf("no database in %s: set --data to the folder of the server", cfg.Data)
		}
		return errors.Join(failures...)
	}
	return cmd
}
