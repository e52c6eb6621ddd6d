package app

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/core/atomicfile"
	"github.com/nodejitsu/webhooks/httpapi/serve"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// announcements are lines with the addresses of the listeners, for people and
// scripts.
type announcements []func() string

// write writes the lines. It is called after the start of all parts, so that a
// reader may use the server, or stop it, at once.
func (a announcements) write(stdout io.Writer) error {
	for _, line := range a {
		if _, err := fmt.Fprintln(stdout, line()); err != nil {
			return fmt.Errorf("write addresses: %w", err)
		}
	}
	return nil
}

// serviceURL returns the URL of the service: with a domain that leads to the listener
// itself the public one, as certificates are for that name, else that of the listener.
func serviceURL(cfg config.Config, c *Certificates, s *serve.Server) string {
	if cfg.Domain == "" || cfg.BehindProxy {
		return c.scheme() + "://" + s.Reachable()
	}
	_, port, _ := net.SplitHostPort(s.Addr()) // a listener's own
	if port == "443" {
		return "https://" + cfg.Domain
	}
	return "https://" + net.JoinHostPort(cfg.Domain, port)
}

// announceModule adds the addresses to lines. It also writes the platform's URL to
// a file in the data folder, where other commands find it.
func announceModule(role Role, cfg config.Config, lines *announcements) fx.Option {
	options := []fx.Option{}
	if role == RoleServe {
		options = append(options, fx.Invoke(func(c *Certificates, s *serve.Server) {
			*lines = append(*lines, func() string { return "webhooks " + serviceURL(cfg, c, s) })
		}))
	}
	if cfg.PlatformURL == "" {
		options = append(options, fx.Invoke(func(lc fx.Lifecycle, p embedded, log *slog.Logger) {
			*lines = append(*lines, func() string {
				return fmt.Sprintf("apps     %s\nplatform %s", p.AppURL("SUBDOMAIN"), p.URL())
			})
			path := cfg.PlatformURLFile()
			lc.Append(fx.StartStopHook(
				func() {
					// A server starts without room on the disk; then other commands
					// need the URL as an option.
					err := os.MkdirAll(filepath.Dir(path), 0o700)
					if err = cmp.Or(err, atomicfile.Write(path, []byte(p.URL()+"\n"), 0o600)); err != nil {
						log.Warn("platform URL not written for other commands", "error", err)
					}
				},
				func() error {
					if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
						return err
					}
					return nil
				},
			))
		}))
	}
	options = append(options, fx.Invoke(func(i *inspection) {
		if i.metrics != nil {
			*lines = append(*lines, func() string { return "metrics  http://" + i.metrics.Reachable() + pathMetrics })
		}
		if i.pprof != nil {
			*lines = append(*lines, func() string { return "pprof    http://" + i.pprof.Reachable() + pathPprof })
		}
	}))
	return fx.Module("announce", options...)
}
