package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/nodejitsu/webhooks/deployer/platform"
	"github.com/nodejitsu/webhooks/deployer/platform/kubernetes"
	"github.com/nodejitsu/webhooks/deployer/platform/kubernetes/image"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/deployer/platform/site"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// inCluster returns what makes the runner of a cluster; nil if apps are processes of
// this machine.
func inCluster(cfg config.Config, log *slog.Logger) func(string, func(runner.Crash)) (platform.Remote, error) {
	if cfg.Runner != config.Kubernetes {
		return nil
	}
	return func(dir string, crashed func(runner.Crash)) (platform.Remote, error) {
		var credentials authn.Keychain = authn.DefaultKeychain
		if cfg.RegistryConfig != "" {
			credentials = image.Credentials(cfg.RegistryConfig)
		}
		program, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("kubernetes: finding this program: %w", err)
		}
		return kubernetes.New(kubernetes.Options{
			Dir: dir, Kubeconfig: cfg.Kubeconfig, Namespace: cfg.KubernetesNamespace,
			Image:      image.Options{Registry: cfg.Registry, Base: cfg.BaseImage, Keychain: credentials},
			PullSecret: cfg.KubernetesPullSecret, StorageClass: cfg.KubernetesStorageClass, Domain: cfg.AppsDomain,
			Gateway: cfg.KubernetesGateway, IngressClass: cfg.KubernetesIngressClass, ReachedFrom: cfg.KubernetesNetworkPolicy,
			Site:         []string{program, SiteCommand},
			ReadyTimeout: cfg.ReadyTimeout, DrainTimeout: cfg.DrainTimeout, Memory: int64(cfg.AppMemory) << 20,
			Crashed: crashed, Logger: log,
		})
	}
}

// siteGrace is for how long the requests to a static site are finished.
const siteGrace = 5 * time.Second

// Site serves a static site, as the process of a pod: its arguments are the address,
// the folder and the fallback. It returns its exit code.
func Site(ctx context.Context, args []string) int {
	ctx, cancel := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer cancel()
	if len(args) != 3 {
		_, _ = fmt.Fprintln(os.Stderr, "webhooks: want an address, a folder and a fallback")
		return 1
	}
	if err := site.Serve(ctx, args[0], args[1], args[2], siteGrace); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "webhooks:", err)
		return 1
	}
	return 0
}
