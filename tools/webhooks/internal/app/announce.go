package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"go.uber.org/fx"

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

// announceModule adds the addresses to lines. It also writes the platform's URL to
// a file in the data folder, where other commands find it.
func announceModule(role Role, cfg config.Config, lines *announcements) fx.Option {
	options := []fx.Option{}
	if role == RoleServe {
		options = append(options, fx.Invoke(func(c *Certificates, s *serve.Server) {
			*lines = append(*lines, func() string { return "webhooks " + c.scheme() + "://" + s.Reachable() })
		}))
	}
	if cfg.PlatformURL == "" {
		options = append(options, fx.Invoke(func(lc fx.Lifecycle, c *Certificates, p embedded) {
			*lines = append(*lines, func() string {
				_, port, _ := net.SplitHostPort(p.RouterAddr()) // a listener's own address
				return fmt.Sprintf("apps     %s://SUBDOMAIN.%s:%s\nplatform %s", c.scheme(), cfg.AppsDomain, port, p.URL())
			})
			path := cfg.PlatformURLFile()
			lc.Append(fx.StartStopHook(
				func() error {
					if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
						return err
					}
					return os.WriteFile(path, []byte(p.URL()+"\n"), 0o600)
				},
				func(context.Context) error { return os.Remove(path) },
			))
		}))
	}
	return fx.Module("announce", options...)
}
