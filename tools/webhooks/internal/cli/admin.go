package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/nodejitsu/webhooks/adapters/bolt"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/app"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/backup"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

func newAdmin(streams IO) *cobra.Command {
	return group(
		&cobra.Command{
			Use:   "admin",
			Short: "Back up and restore the data folder; check and compact its databases; end apps",
			Long: `Maintains the data folder with its databases: webhooks.db, with the log, the queue
and the changes, and platform/platform.db, with the users and the apps. A backup can
be made while the server runs; stop it for everything else.`,
			Example: `  webhooks admin check
  webhooks admin backup /backup/today.tar.gz`,
		},
		newAdminCheck(streams), newAdminBackup(streams), newAdminRestore(streams), newAdminCompact(streams), newAdminEndApps(streams))
}

func newAdminEndApps(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "end-apps",
		Short: "End the apps that run without a server",
		Long: `Ends the apps that go on after a server was stopped with --apps-on-stop keep, or was
killed. It is refused while a server runs on the data folder. The next server starts
the apps again; to stop one for good, call "webhooks apps stop".`,
		Example: `  systemctl stop webhooks && webhooks admin end-apps --data /var/lib/webhooks`,
		Args:    exactly(0),
	}
	settings := config.Declare(cmd.Flags())
	settings.Show("data")
	p := newPrinter(cmd, streams)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load(settings, streams)
		if err != nil {
			return err
		}
		if err := app.EndApps(cmd.Context(), cfg); err != nil {
			return err
		}
		return p.done(named("ended", cfg.Data), "the apps of %s have ended", cfg.Data)
	}
	return cmd
}

func newAdminCheck(streams IO) *cobra.Command {
	return admin(streams, &cobra.Command{
		Use:   "check",
		Short: "Check the databases for damage",
		Long: `Reads each database completely and reports what is damaged; the exit code is 1
then. Replace a damaged database by its last backup.`,
		Example: `  webhooks admin check --data /var/lib/webhooks`,
		Args:    exactly(0),
	}, func(ctx context.Context, db *database) error {
		db.Result = "no damage"
		return bolt.CheckFile(ctx, db.Path)
	})
}

func newAdminBackup(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write all data into one archive, also while the server runs",
		Long: `Writes the data folder into a compressed tarball: the log, the queue and the
changes, users and apps, snapshots, keys and certificates, all as they are at one
moment. Caches are left out, and so is what is in Redis. A running server writes it
itself. - writes to stdout. No file is overwritten.

The archive contains what is needed to act for every user: keep it as safe as the
data folder.`,
		Example: `  webhooks admin backup "/backup/$(date +%F).tar.gz"
  webhooks admin backup - --data /var/lib/webhooks | ssh backup@example.com 'cat > webhooks.tar.gz'`,
		Args: exactly(1),
	}
	settings := config.Declare(cmd.Flags())
	settings.Show("data")
	p := newPrinter(cmd, streams)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := load(settings, streams)
		if err != nil {
			return err
		}
		if args[0] == "-" { // the archive is what is printed
			_, err := writeBackup(cmd.Context(), cfg, streams.Stdout)
			return err
		}
		f, err := os.OpenFile(args[0], os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, os.ErrExist) {
			return fmt.Errorf("%s exists already: name another file", args[0])
		}
		if err != nil {
			return err
		}
		written, err := writeBackup(cmd.Context(), cfg, f)
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			return errors.Join(err, os.Remove(f.Name()))
		}
		return p.done(map[string]any{"file": args[0], "bytes": written}, "%s written to %s", size(written), args[0])
	}
	return cmd
}

// writeBackup writes a backup by the running server or, if none is running, by
// itself. It returns the number of bytes.
func writeBackup(ctx context.Context, cfg config.Config, w io.Writer) (int64, error) {
	counted := &counter{w: w}
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", cfg.AdminSocket())
	}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://server/backup", http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err == nil {
		defer resp.Body.Close() //nolint:errcheck // only read
		if resp.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("the server answers %s", resp.Status)
		}
		if _, err := io.Copy(counted, resp.Body); err != nil {
			return counted.n, fmt.Errorf("the server could not complete the backup; see its log: %w", err)
		}
		return counted.n, nil
	}
	databases := map[string]backup.Copier{}
	for _, path := range []string{cfg.StorePath(), cfg.PlatformStorePath()} {
		if _, err := os.Stat(path); err != nil {
			continue // on another server, or in Redis
		}
		name, err := filepath.Rel(cfg.Data, path)
		if err != nil {
			return 0, err
		}
		databases[name] = func(begin func(int64) (io.Writer, error)) error { return bolt.CopyFileTo(path, begin) }
	}
	if len(databases) == 0 {
		return 0, fmt.Errorf("no database in %s: set --data to the folder of the server", cfg.Data)
	}
	return counted.n, backup.Write(ctx, counted, app.BackupOptions(cfg, databases))
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

// Write writes to the underlying writer.
func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func newAdminRestore(streams IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Unpack a backup into an empty data folder",
		Long: `Unpacks the archive of ` + "`webhooks admin backup`" + ` into a data folder that does not
exist or is empty. Start the server with it afterwards, but not while the server
that was backed up runs on the same machine: the apps of both would have the same
users, and each server ends what it does not know. Run it as the user of the
server: root also restores the owners of the apps' files. - reads from stdin.`,
		Example: `  webhooks admin restore /backup/2026-11-28.tar.gz --data /var/lib/webhooks`,
		Args:    exactly(1),
	}
	settings := config.Declare(cmd.Flags())
	settings.Show("data")
	p := newPrinter(cmd, streams)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := load(settings, streams)
		if err != nil {
			return err
		}
		from := streams.Stdin
		if args[0] != "-" {
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close() //nolint:errcheck // only read
			from = f
		}
		if err := backup.Restore(cmd.Context(), from, cfg.Data); err != nil {
			return err
		}
		return p.done(named("restored", cfg.Data), "restored to %s", cfg.Data)
	}
	return cmd
}

func newAdminCompact(streams IO) *cobra.Command {
	return admin(streams, &cobra.Command{
		Use:     "compact",
		Short:   "Release unused space of the databases",
		Long:    "Rewrites each database without the space that it does not use any more.",
		Example: `  webhooks admin compact --data /var/lib/webhooks`,
		Args:    exactly(0),
	}, func(_ context.Context, db *database) (err error) {
		db.Before, db.After, err = bolt.CompactFile(db.Path)
		db.Result = size(db.Before) + " before, " + size(db.After) + " now"
		return err
	})
}

// database is what a command has done to a database.
type database struct {
	Path   string `json:"path"`
	Result string `json:"result,omitempty"`
	Error  string `json:"error,omitempty"`
	Before int64  `json:"bytes_before,omitempty"` // its size
	After  int64  `json:"bytes_after,omitempty"`
}

// admin makes cmd call do for each database in the data folder, and print the
// results.
func admin(streams IO, cmd *cobra.Command, do func(ctx context.Context, db *database) error) *cobra.Command {
	settings := config.Declare(cmd.Flags())
	settings.Show("data")
	p := newPrinter(cmd, streams)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := load(settings, streams)
		if err != nil {
			return err
		}
		var failures []error
		all := []database{}
		for _, path := range []string{cfg.StorePath(), cfg.PlatformStorePath()} {
			if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
				continue // on another server, or in Redis
			}
			p.say("%s …", path)
			db := database{Path: path}
			if err := do(cmd.Context(), &db); err != nil {
				failures = append(failures, err)
				db = database{Path: path, Error: err.Error()}
			}
			all = append(all, db)
		}
		if len(all) == 0 {
			return fmt.Errorf("no database in %s: set --data to the folder of the server", cfg.Data)
		}
		err = p.result(all, func() error {
			for _, db := range all {
				if db.Error == "" {
					_ = p.printf("%s: %s\n", db.Path, db.Result) // as the next one
				}
			}
			return nil
		})
		return errors.Join(append(failures, err)...)
	}
	return cmd
}
