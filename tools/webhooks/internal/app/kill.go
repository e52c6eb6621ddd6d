package app

import (
	"os"
	"os/signal"
	"sync"
	"syscall"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// killer ends the process at the second signal.
type killer struct {
	mu   sync.Mutex
	kill func() // the apps; nil: there are none
}

// killModule has the apps of the embedded platform be killed by k.
func killModule(cfg config.Config, k *killer) fx.Option {
	if cfg.PlatformURL != "" {
		return fx.Options()
	}
	return fx.Invoke(func(p embedded) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.kill = p.Kill
	})
}

// awaitAnother waits for another signal after the first one, which release
// releases, and then ends the apps and the process by that signal.
func (k *killer) awaitAnother(release func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	release()
	sig := <-signals
	k.mu.Lock()
	kill := k.kill
	k.mu.Unlock()
	if kill != nil {
		kill()
	}
	signal.Reset(os.Interrupt, syscall.SIGTERM)
	if self, err := os.FindProcess(os.Getpid()); err == nil && self.Signal(sig) == nil {
		select {} // until it is delivered
	}
	os.Exit(1) // where a process can't signal itself
}
