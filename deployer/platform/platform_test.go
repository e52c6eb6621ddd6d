package platform_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/deployer/platform"
)

// TestLife takes an app from its creation to its end.
func TestLife(t *testing.T) {
	t.Parallel()
	b := setup(t, platform.Options{})
	me := b.user("me")
	b.app(me, "me", "app", map[string]any{"name": "app", "version": "1.0.0", "subdomain": "sub", "domains": []string{"app.example.org"}, "env": map[string]string{"GREETING": ", hi"}})
	if status, _ := b.get("sub"); status != http.StatusServiceUnavailable {
		t.Errorf("an app that was never started answers %d", status)
	}
	if _, err := me.StartApp(t.Context(), "me", "app"); err == nil || !strings.HasSuffix(err.Error(), "Cannot start application with no snapshots") {
		t.Errorf("starting without a snapshot: %v", err)
	}
	out := b.upload(me, "me", "app", "v1", hello(t, "one"))
	if !strings.Contains(out, "Unpacking the snapshot") || !strings.Contains(out, "no dependencies to install") {
		t.Errorf("the build printed %q", out)
	}
	app := b.run(me, "me", "app", "v1")
	if app.State != "started" || app.Running == nil || app.Running.ID != "v1" || app.URL != "http://sub.localhost"+port(b.RouterAddr()) {
		t.Errorf("started: %+v", app)
	}
	b.answers("sub", "one, hi")
	b.answers("SUB.localhost:1234", "one, hi")
	b.answers("app.example.org", "one, hi")
	if status, _ := b.get("app"); status != http.StatusNotFound {
		t.Errorf("an unknown subdomain answers %d", status)
	}

	b.upload(me, "me", "app", "v2", hello(t, "two"))
	b.answers("sub", "one, hi") // until v2 is started
	b.ok(me.UpdateApp(t.Context(), "me", "app", map[string]any{"env": map[string]string{"GREETING": "!"}}))
	b.run(me, "me", "app", "v2")
	b.answers("sub", "two!")
	b.run(me, "me", "app", "v1") // the rollback
	b.answers("sub", "one!")
	snapshots, err := me.Snapshots(t.Context(), "me", "app")
	b.ok(err)
	if len(snapshots) != 2 || !snapshots[0].Active || !snapshots[0].Running || snapshots[1].Active || snapshots[1].Running {
		t.Errorf("after the rollback: %+v", snapshots)
	}

	b.ok(me.SetCloud(t.Context(), "me", "app", []nodejitsu.Cloud{{Provider: "webhooks", Datacenter: "local", Drones: 2}}))
	app, err = me.App(t.Context(), "me", "app")
	b.ok(err)
	if app.Drones != 2 || app.MaxDrones != 2 {
		t.Errorf("%d of %d drones run", app.Drones, app.MaxDrones)
	}
	b.ok(me.StopApp(t.Context(), "me", "app"))
	if status, _ := b.get("sub"); status != http.StatusServiceUnavailable {
		t.Errorf("a stopped app answers %d", status)
	}
	if app, err = me.StartApp(t.Context(), "me", "app"); err != nil || app.Drones != 2 {
		t.Errorf("started again with %d drones: %v", app.Drones, err)
	}
	b.ok(me.RestartApp(t.Context(), "me", "app"))
	b.answers("sub", "one!")
	b.eventually("the log has each start", func() bool {
		// one; two; one; a second drone (all anew or only that); both after the stop, and after the restart
		return strings.Count(strings.Join(b.log(me, "me", "app"), "\n"), "up: ") >= 8
	})
	b.ok(me.DestroyApp(t.Context(), "me", "app"))
	if status, _ := b.get("sub"); status != http.StatusNotFound {
		t.Errorf("a destroyed app answers %d", status)
	}
	if _, err := me.App(t.Context(), "me", "app"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("a destroyed app: %v", err)
	}
}

func port(address string) string { return address[strings.LastIndexByte(address, ':'):] }

// A version that does not start leaves the previous one serving, and the error has
// the reason.
func TestBrokenVersion(t *testing.T) {
	t.Parallel()
	b := setup(t, platform.Options{})
	me := b.user("me")
	b.app(me, "me", "app", nil)
	b.upload(me, "me", "app", "good", hello(t, "good"))
	b.run(me, "me", "app", "good")
	b.upload(me, "me", "app", "bad", pack(t, map[string]string{
		"package.json": `{"name":"app","scripts":{"start":"node server.js"}}`,
		"server.js":    `throw new Error('no database')`,
	}))
	b.ok(me.ActivateSnapshot(t.Context(), "me", "app", "bad"))
	if _, err := me.StartApp(t.Context(), "me", "app"); err == nil || !strings.Contains(err.Error(), "no database") {
		t.Errorf("the failed start says %v", err)
	}
	b.answers("app", "good")
	var refused *nodejitsu.Error
	err := me.UploadSnapshot(t.Context(), "me", "app", "none", "", strings.NewReader("no archive"), io.Discard)
	if _, again := core.Retryable(err); !errors.As(err, &refused) || refused.Message == "" || again {
		t.Errorf("an upload that is not an archive: %v", err)
	}
}

func TestAccess(t *testing.T) {
	t.Parallel()
	b := setup(t, platform.Options{})
	me, you := b.user("me"), b.user("you")
	b.app(me, "me", "app", nil)
	ctx := t.Context()
	token, err := me.CreateToken(ctx, "me", "ci")
	b.ok(err)
	byToken := b.as("me", token)
	wrong := b.as("me", core.NewSecret("passwort"))
	fails := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	_, err = you.App(ctx, "me", "app")
	fails("another user's app", err, core.ErrForbidden)
	fails("upload to another user's app", you.UploadSnapshot(ctx, "me", "app", "v1", "", bytes.NewReader(hello(t, "you")), io.Discard), core.ErrForbidden)
	_, err = you.StartApp(ctx, "me", "app")
	fails("start of another user's app", err, core.ErrForbidden)
	_, err = you.Logs(ctx, "me", "app", 1)
	fails("another's log", err, core.ErrForbidden)
	_, err = you.User(ctx, "me")
	fails("another's document", err, core.ErrForbidden)
	fails("another user", you.CreateUser(ctx, nodejitsu.User{Username: "new", Password: core.NewSecret("p")}), core.ErrForbidden)

	_, err = byToken.App(ctx, "me", "app")
	b.ok(err)
	_, err = byToken.Tokens(ctx, "me")
	fails("tokens by a token", err, core.ErrForbidden)
	_, err = byToken.CreateToken(ctx, "me", "more")
	fails("a token by a token", err, core.ErrForbidden)
	fails("a password by a token", byToken.UpdateUser(ctx, nodejitsu.User{Username: "me", Password: core.NewSecret("p")}), core.ErrForbidden)

	_, err = wrong.App(ctx, "me", "app")
	fails("a wrong password", err, core.ErrUnauthorized)
	_, err = b.as(core.ServiceUser, core.NewSecret("passwort")).Users(ctx)
	fails("a wrong key", err, core.ErrUnauthorized)

	users, err := b.service.Users(ctx)
	b.ok(err)
	if len(users) != 2 {
		t.Errorf("the service sees the users %v", users)
	}
	apps, err := b.service.Apps(ctx, "me")
	b.ok(err)
	if len(apps) != 1 {
		t.Errorf("the service sees the apps %v", apps)
	}
	b.ok(b.service.UpdateUser(ctx, nodejitsu.User{Username: "me", Password: core.NewSecret("passwort")}))
	_, err = wrong.App(ctx, "me", "app")
	b.ok(err) // the password is valid now
	_, err = me.App(ctx, "me", "app")
	fails("the old password", err, core.ErrUnauthorized)
	b.ok(b.service.DestroyUser(ctx, "me"))
	_, err = wrong.Apps(ctx, "me")
	fails("a destroyed user", err, core.ErrUnauthorized)
	_, err = byToken.Apps(ctx, "me")
	fails("the token of a destroyed user", err, core.ErrUnauthorized)
}

// Two apps are built at the same time; the output of each is streamed.
func TestUploadsAtOnce(t *testing.T) {
	t.Parallel()
	npm := newRegistry(t)
	b := setup(t, platform.Options{NpmRegistry: npm.url})
	me := b.user("me")
	var uploads sync.WaitGroup
	installing := make(chan string, 2)
	for _, app := range []string{"one", "two"} {
		b.app(me, "me", app, nil)
		uploads.Go(func() {
			out := &watcher{text: "Installing the dependencies", found: func() { installing <- app }}
			if err := me.UploadSnapshot(t.Context(), "me", app, "v1", "", bytes.NewReader(dependent(t)), out); err != nil {
				t.Errorf("%s: %v\n%s", app, err, out.all.String())
			}
			if !strings.Contains(out.all.String(), "added 1 package") {
				t.Errorf("%s: the build printed %q", app, out.all.String())
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range 2 { // npm waits for both of them
		select {
		case <-installing:
		case <-ctx.Done():
			t.Error("no output")
		}
	}
	npm.await(t, "/dep")
	npm.await(t, "/dep")
	npm.release()
	uploads.Wait()
	for _, app := range []string{"one", "two"} {
		b.run(me, "me", app, "v1")
		b.answers(app, "from dep")
	}
}

// watcher calls found once a text has been written.
type watcher struct {
	text  string
	found func()
	all   strings.Builder
}

func (w *watcher) Write(p []byte) (int, error) {
	before := strings.Contains(w.all.String(), w.text)
	_, _ = w.all.Write(p) // never fails
	if !before && strings.Contains(w.all.String(), w.text) {
		w.found()
	}
	return len(p), nil
}

// A client that disconnects cancels the start that it requested.
func TestDisconnectCancelsStart(t *testing.T) {
	t.Parallel()
	b := setup(t, platform.Options{ReadyTimeout: 100 * patience})
	me := b.user("me")
	b.app(me, "me", "app", nil)
	b.upload(me, "me", "app", "v1", pack(t, map[string]string{
		"package.json": `{"name":"app","scripts":{"start":"node server.js"}}`,
		"server.js":    `console.log('up, but I never listen'); setInterval(() => {}, 1000);`,
	}))
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	left := make(chan error, 1)
	go func() {
		_, err := me.StartApp(ctx, "me", "app")
		left <- err
	}()
	b.eventually("the drone is up", func() bool { return len(b.log(me, "me", "app")) > 0 })
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the start says %v", err)
	}
	b.upload(me, "me", "app", "v2", hello(t, "two"))
	b.run(me, "me", "app", "v2")
	b.answers("app", "two")
}
