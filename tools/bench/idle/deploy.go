package idle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

// appsOfUser is how many apps each user has.
const appsOfUser = 10

// User returns the name of the user of an app, by its number.
func User(app int) string { return "user-" + strconv.Itoa(app/appsOfUser) }

// App returns the name of an app, by its number.
func App(app int) string { return "app-" + strconv.Itoa(app) }

// Client returns a client of the platform's API at an address, for the service user.
func Client(address string) *nodejitsu.Client {
	return nodejitsu.New(nodejitsu.Options{
		Endpoint: func() string { return "http://" + address }, Username: core.ServiceUser, Password: func() core.Secret { return core.NewSecret(Key) },
	})
}

// Deploy deploys the apps with the numbers from up to to, a few at a time, as a server
// does: each is created, uploaded, built, activated and started. It creates their users.
func Deploy(ctx context.Context, c *nodejitsu.Client, from, to int) error {
	for app := from; app < to; app += appsOfUser {
		if err := c.CreateUser(ctx, nodejitsu.User{Username: User(app), Password: core.NewSecret("password of the benchmark")}); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	next.Store(int64(from))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				app := int(next.Add(1)) - 1
				if app >= to || ctx.Err() != nil {
					return
				}
				if err := deploy(ctx, c, User(app), App(app)); err != nil {
					cancel(fmt.Errorf("deploying %s: %w", App(app), err))
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

func deploy(ctx context.Context, c *nodejitsu.Client, user, app string) error {
	// A static site, whose build starts no process.
	manifest := map[string]any{"name": app, "version": "1.0.0", "subdomain": app, "webhooks": map[string]string{"static": "www"}}
	if err := c.CreateApp(ctx, user, app, manifest); err != nil {
		return err
	}
	archive, err := pack(app)
	if err != nil {
		return err
	}
	if err := c.UploadSnapshot(ctx, user, app, "v1", "", bytes.NewReader(archive), io.Discard); err != nil {
		return err
	}
	if err := c.ActivateSnapshot(ctx, user, app, "v1"); err != nil {
		return err
	}
	_, err = c.StartApp(ctx, user, app)
	return err
}

// pack returns the archive of an app.
func pack(app string) ([]byte, error) {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zip)
	for _, f := range []struct{ name, text string }{
		{"package.json", fmt.Sprintf(`{"name":%q,"version":"1.0.0","webhooks":{"static":"www"}}`, app)},
		{"www/index.html", "<p>" + app},
	} {
		if err := archive.WriteHeader(&tar.Header{Name: "package/" + f.name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(f.text))}); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(archive, f.text); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
