package app

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/adapters/bolt"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/backup"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// adminModule serves the administration of a running server on a socket in the
// data folder, which only the owner of the server's files can open.
func adminModule(cfg config.Config) fx.Option {
	type parts struct {
		fx.In

		Store    store    `optional:"true"`
		Platform embedded `optional:"true"`
	}
	return fx.Invoke(func(lc fx.Lifecycle, p parts, log *slog.Logger) {
		databases := map[string]backup.Copier{}
		if s, ok := p.Store.(*bolt.Store); ok {
			databases[below(cfg, cfg.StorePath())] = s.CopyTo
		}
		if p.Platform != nil {
			databases[below(cfg, cfg.PlatformStorePath())] = p.Platform.CopyTo
		}
		mux := http.NewServeMux()
		mux.HandleFunc("GET /backup", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/gzip")
			if err := backup.Write(r.Context(), w, BackupOptions(cfg, databases)); err != nil {
				log.ErrorContext(r.Context(), "backup failed", "error", err)
				panic(http.ErrAbortHandler) // so that the reader does not take it for complete
			}
			log.InfoContext(r.Context(), "backup written")
		})
		server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
		lc.Append(fx.StartStopHook(
			func(ctx context.Context) {
				l, err := listenAdmin(ctx, cfg.AdminSocket())
				if err != nil { // such as a path that is too long; the server works without
					log.WarnContext(ctx, "administration socket not available", "error", err)
					return
				}
				go func() { _ = server.Serve(l) }() // ends by Close
			},
			func() error { return server.Close() },
		))
	})
}

// listenAdmin listens on the socket, which a server that was killed may have left.
func listenAdmin(ctx context.Context, path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// BackupOptions are those of a backup of the data folder.
func BackupOptions(cfg config.Config, databases map[string]backup.Copier) backup.Options {
	return backup.Options{
		Dir: cfg.Data, Databases: databases,
		Leave: []string{
			below(cfg, cfg.AdminSocket()), below(cfg, cfg.PlatformURLFile()),
			below(cfg, filepath.Join(cfg.PlatformDir(), "cache")), below(cfg, filepath.Join(cfg.PlatformDir(), "archives", ".incoming")),
		},
	}
}

// below returns a path of the data folder relative to it.
func below(cfg config.Config, path string) string {
	name, err := filepath.Rel(cfg.Data, path)
	if err != nil {
		return path
	}
	return name
}
