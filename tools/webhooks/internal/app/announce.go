package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/deployer/platform"
	"github.com/nodejitsu/webhooks/httpapi"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// announceModule tells where everything listens, once all of it does: people
// and scripts on stdout, a line each; the other commands by a file in the data
// folder, so that they find a server whatever its ports.
func announceModule(role Role, cfg config.Config, stdout io.Writer) fx.Option {
	options := []fx.Option{}
	if role == RoleServe {
		options = append(options, fx.Invoke(func(lc fx.Lifecycle, c *Certificates, s *httpapi.Server) {
			lc.Append(fx.StartHook(func() error {
				_, err := fmt.Fprintf(stdout, "webhooks %s://%s\n", c.scheme(), reachable(s.Addr()))
				return err
			}))
		}))
	}
	if cfg.PlatformURL == "" {
		options = append(options, fx.Invoke(func(lc fx.Lifecycle, c *Certificates, p *platform.Platform) {
			path := cfg.PlatformURLFile()
			lc.Append(fx.StartStopHook(
				func() error {
					_, port, err := net.SplitHostPort(p.RouterAddr())
					if err != nil {
						return err
					}
					if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
						return err
					}
					// First: who reads that it listens may call a command at once.
					if err := os.WriteFile(path, []byte(p.URL()+"\n"), 0o600); err != nil {
						return err
					}
					_, err = fmt.Fprintf(stdout, "apps     %s://SUBDOMAIN.%s:%s\nplatform %s\n", c.scheme(), cfg.AppsDomain, port, p.URL())
					return err
				},
				func(context.Context) error { return os.Remove(path) },
			))
		}))
	}
	return fx.Module("announce", options...)
}

// reachable is an address that one can connect to where addr listens on all.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
