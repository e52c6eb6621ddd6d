package idle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"

	"go.etcd.io/bbolt"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/accounts"
	"github.com/nodejitsu/webhooks/deployer/platform/api"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
	"github.com/nodejitsu/webhooks/deployer/platform/builds"
	"github.com/nodejitsu/webhooks/deployer/platform/events"
	"github.com/nodejitsu/webhooks/deployer/platform/router"
	"github.com/nodejitsu/webhooks/deployer/platform/seal"
	"github.com/nodejitsu/webhooks/deployer/platform/snapshots"
	"github.com/nodejitsu/webhooks/httpapi/serve"
)

// Key is the service user's password.
const Key = "a key of the benchmark"

// sealKey seals what the platform keeps: 32 bytes in base64.
const sealKey = "YSBrZXkgb2YgdGhlIGJlbmNobWFyayBhbmQgbm8gb24="

// Serve runs a platform on the files in dir until ctx ends. All its apps answer at
// target. Once it is ready it writes the address of its API and that of its router to
// out, each on a line.
func Serve(ctx context.Context, dir, target string, out io.Writer) (err error) {
	db, err := bbolt.Open(filepath.Join(dir, "platform.db"), 0o600, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	keys, err := seal.Parse(core.NewSecret(sealKey))
	if err != nil {
		return err
	}
	users, err := accounts.New(accounts.Options{DB: db, Seal: keys, ServiceUser: core.ServiceUser, Key: core.NewSecret(Key)})
	if err != nil {
		return err
	}
	store := snapshots.New(snapshots.Options{
		Dir: filepath.Join(dir, "archives"), Builds: filepath.Join(dir, "builds"),
		Builder: builds.New(builds.Options{Cache: filepath.Join(dir, "cache")}),
	})
	if err := store.Prepare(); err != nil {
		return err
	}
	journal, err := events.Open(db)
	if err != nil {
		return err
	}
	defer journal.Close()
	run := NewRunner(target)
	all, err := apps.New(apps.Options{
		DB: db, Seal: keys, Snapshots: store, Runner: run, URL: func(subdomain string) string { return "http://" + subdomain + ".localhost" },
		Keep: 1,
	})
	if err != nil {
		return err
	}
	defer all.Close()
	if err := all.Resume(ctx); err != nil {
		return err
	}
	routes := router.New(router.Options{Lookup: all.Lookup, Pick: run.Pick})
	defer routes.Close()
	for _, h := range []http.Handler{api.New(api.Options{Accounts: users, Apps: all, Events: journal}), routes} {
		server := serve.New(serve.Options{Addr: "127.0.0.1:0"}) //nolint:contextcheck // it serves until Stop
		if err := server.Listen(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, server.Stop(context.WithoutCancel(ctx))) }()
		server.Serve(h)
		if _, err := fmt.Fprintln(out, server.Addr()); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}
