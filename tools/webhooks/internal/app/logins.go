package app

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/core/atomicfile"
	"github.com/nodejitsu/webhooks/httpapi/serve/throttle"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// saveLoginsEvery is how often the file is written, if the state has changed.
const saveLoginsEvery = 10 * time.Second

// loginsModule provides the throttling of clients that guess credentials. The
// clients that have logged in recently are saved in a file of the data folder.
func loginsModule(cfg config.Config) fx.Option {
	return fx.Module("logins", fx.Provide(func(lc fx.Lifecycle, log *slog.Logger) *throttle.Throttle {
		logins := throttle.New(throttle.Options{})
		k := &loginsKeeper{path: filepath.Join(cfg.Data, "logins.json"), logins: logins, log: log, stop: make(chan struct{})}
		lc.Append(fx.StartStopHook(k.start, k.end))
		return logins
	}))
}

// loginsKeeper saves the state of a throttle in a file.
type loginsKeeper struct {
	path    string
	logins  *throttle.Throttle
	log     *slog.Logger
	stop    chan struct{}
	running sync.WaitGroup
	failed  bool // to write it, the last time
}

// start reads the file. Without it some clients are throttled for a while, so a
// failure does not keep the server from starting.
func (k *loginsKeeper) start() {
	saved, err := os.ReadFile(k.path)
	if err == nil {
		err = k.logins.Restore(saved)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.log.Warn("recent logins not restored", "path", k.path, "error", err)
	}
	k.running.Go(func() {
		tick := time.NewTicker(saveLoginsEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				k.save()
			case <-k.stop:
				k.save()
				return
			}
		}
	})
}

func (k *loginsKeeper) end() {
	close(k.stop)
	k.running.Wait()
}

// save writes the file if the state has changed.
func (k *loginsKeeper) save() {
	if !k.failed && !k.logins.Changed() {
		return
	}
	text, err := k.logins.Save()
	if err == nil {
		err = atomicfile.Write(k.path, text, 0o600)
	}
	if err != nil && !k.failed {
		k.log.Warn("recent logins not saved", "path", k.path, "error", err)
	}
	k.failed = err != nil
}
