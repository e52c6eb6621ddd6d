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
			Short: "Check, back up and compact the databases of a server that is stopped",
			Long: `Looks after the databases in the data folder: webhooks.db, the log, the queue
and the changes, and platform/platform.db, the users and the apps. The server
must be stopped meanwhile.`,
		},
		newAdminCheck(streams), newAdminBackup(streams), newAdminCompact(streams))
}

func newAdminCheck(streams IO) *cobra.Command {
	return admin(streams, &cobra.Command{
		Use:   "check",
		Short: "Look for damage in them",
		Long: `Reads each database whole and says what is damaged. The exit code is 1 where
something is. A damaged one is best replaced by its last backup.`,
		Example: `  webhooks admin check --data /var/lib/webhooks`,
		Args:    exactly(0),
	}, func(ctx context.Context, _ config.Config, path, _ string) (string, error) {
		return "no damage", bolt.CheckFile(ctx, path)
	})
}

func newAdminBackup(streams IO) *cobra.Command {
	return admin(streams, &cobra.Command{
		Use:   "backup FOLDER",
		Short: "Copy them to a folder",
		Long: `Copies each database to the same name below a folder, which is made. Nothing is
overwritten. To go back, put the copies in the place of the databases.

The folder has what is needed to act for everybody: keep it as safe as the data
folder. The snapshots of the apps, in platform/archives, and the keys, in
platform/*.key and platform/seal.keys, are plain files; copy them beside it.`,
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
		Short:   "Give back the room that they do not need any more",
		Example: `  webhooks admin compact --data /var/lib/webhooks`,
		Args:    exactly(0),
	}, func(_ context.Context, _ config.Config, path, _ string) (string, error) {
		before, after, err := bolt.CompactFile(path)
		return size(before) + " before, " + size(after) + " now", err
	})
}

// admin has cmd do something with each database there is, and tell what.
func admin(streams IO, cmd *cobra.Command, do func(ctx context.Context, cfg config.Config, path, arg string) (string, error)) *cobra.Command {
	config.Flags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := load(cmd, streams)
		if err != nil {
			return err
		}
		arg := ""
		if len(args) > 0 {
			arg = args[0]
		}
		var faults []error
		found := false
		for _, path := range []string{cfg.StorePath(), cfg.PlatformStorePath()} {
			if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
				continue // another server's, or in Redis
			}
			found = true
			_, _ = fmt.Fprintf(streams.Stderr, "%s …\n", path)
			told, err := do(cmd.Context(), cfg, path, arg)
			if err != nil {
				faults = append(faults, err)
				continue
			}
			_, _ = fmt.Fprintf(streams.Stdout, "%s: %s\n", path, told)
		}
		if !found {
			return fmt.Errorf("there is no database in %s; name the server's folder with --data", cfg.Data)
		}
		return errors.Join(faults...)
	}
	return cmd
}
