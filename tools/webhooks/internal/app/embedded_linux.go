package app

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/nodejitsu/webhooks/adapters/metrics"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform"
	"github.com/nodejitsu/webhooks/deployer/platform/processes"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/httpapi/serve/throttle"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/sockets"
)

// newEmbedded returns the embedded platform.
func newEmbedded(cfg config.Config, certificates *tls.Config, at *addresses, logins *throttle.Throttle, keep keepApps, held *sockets.Sockets, fail func(error), log *slog.Logger) (embedded, error) {
	dir, err := filepath.Abs(cfg.PlatformDir())
	if err != nil {
		return nil, err
	}
	var key core.Secret
	if cfg.PlatformKeyFile != "" {
		if key, err = cfg.PlatformKey(); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	keys, err := cfg.SealKeys(os.Environ())
	if err != nil {
		return nil, err
	}
	return process{platform.New(platform.Options{
		Runner:  inCluster(cfg, log),
		Proxies: cfg.Proxies(), MaxConnections: cfg.MaxConnections, NpmRegistry: cfg.NpmRegistry, BuildTimeout: cfg.BuildTimeout, BuildMemory: cfg.BuildMemory,
		ReadyTimeout: cfg.ReadyTimeout, MinReadyTime: cfg.MinReadyTime, DrainTimeout: cfg.DrainTimeout, AppMemory: cfg.AppMemory, AppMaxMemory: cfg.AppMaxMemory,
		DiskBudget: cfg.DiskBudget, KeepSnapshots: cfg.KeepSnapshots, AccessLog: cfg.AccessLog,
		Dir: dir, Listen: cfg.PlatformListen, AppsListen: cfg.AppsListen, Bind: held.Listen,
		Shared: cfg.SharesListener(), AppsDomain: cfg.AppsDomain, AppsURL: at.appsURL(), ReservedHosts: cfg.ReservedHosts(), TLS: certificates, Key: key, SealKeys: keys, Logins: logins, Fail: fail, Logger: log,
		// This very program, even if the file has been replaced by another version.
		Keeper: []string{"/proc/self/exe", KeeperCommand}, KeepApps: keep, OrphanTimeout: cfg.OrphanTimeout,
	})}, nil
}

// process is the embedded platform, with its accounts as an interface.
type process struct{ *platform.Platform }

func (p process) accounts() accounts { return p.Accounts() }

// drones counts the drones of the platform, and its apps that run or should.
func (p process) drones() metrics.Drones {
	d := metrics.Drones{Apps: map[string]int{}}
	for _, phase := range []runner.Phase{runner.Starting, runner.Started, runner.Crashed} {
		d.Apps[string(phase)] = 0
	}
	for _, state := range p.States() {
		if state.Phase != runner.Stopped {
			d.Apps[string(state.Phase)]++
		}
		d.Ready += state.Drones
		d.Wanted += state.Wanted
	}
	return d
}

// disk returns the disk space of the platform.
func (p process) disk() metrics.Disk { return metrics.Disk(p.Disk()) }

// Keep is the process that keeps one drone of the embedded platform.
func Keep(ctx context.Context) int { return platform.Keep(ctx) }

// EndApps ends the apps of the embedded platform that run without a server.
func EndApps(ctx context.Context, cfg config.Config) error {
	dir, err := filepath.Abs(cfg.PlatformDir())
	if err != nil {
		return err
	}
	return platform.EndApps(ctx, dir, slog.New(slog.DiscardHandler))
}

// isApp reports whether a user of this machine is an app's.
func isApp(uid uint32) bool { return processes.IsApp(uid) }
