package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/nodejitsu/webhooks/deployer/platform/apps"
)

// ready answers that requests may be sent here.
func (a *API) ready(c *call) error { return c.answer(http.StatusOK, map[string]bool{"ok": true}) }

// endpoints returns the one datacenter: this API, at the address that the caller
// used. A proxy that terminates TLS must set X-Forwarded-Proto; a client that
// forges the header affects only its own response.
func (a *API) endpoints(c *call) error {
	scheme := "http"
	if c.r.TLS != nil || c.r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return c.answer(http.StatusOK, map[string]any{
		"endpoints": map[string]any{apps.Provider: map[string]string{apps.Datacenter: scheme + "://" + c.r.Host}},
	})
}

// order returns the position of the call among the deployments of its app.
func (c *call) order() apps.Order { return apps.Order(c.r.Header.Get(headerOrder)) }

func (c *call) answerApp(status int, app apps.App, err error) error {
	if err != nil {
		return err
	}
	return c.answer(status, map[string]any{"app": app})
}

func (a *API) listApps(c *call) error {
	list, err := a.o.Apps.List(c.user)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, map[string]any{"apps": list})
}

func (a *API) viewApp(c *call) error {
	app, err := a.o.Apps.Find(c.user, c.app)
	return c.answerApp(http.StatusOK, app, err)
}

func (a *API) createApp(c *call) error {
	var fields apps.Fields
	if err := c.read(&fields); err != nil {
		return err
	}
	create := a.o.Apps.Create
	if c.r.Header.Get(headerDeploys) != "" {
		create = a.o.Apps.CreateToDeploy
	}
	app, err := create(c.user, c.app, fields)
	return c.answerApp(http.StatusCreated, app, err)
}

func (a *API) updateApp(c *call) error {
	var fields apps.Fields
	if err := c.read(&fields); err != nil {
		return err
	}
	app, err := a.o.Apps.Update(c.user, c.app, fields, c.order())
	return c.answerApp(http.StatusOK, app, err)
}

func (a *API) destroyApp(c *call) error {
	if err := c.clearDeadlines(); err != nil {
		return err
	}
	if err := a.o.Apps.Destroy(c.ctx(), c.user, c.app, c.by()); err != nil {
		return err
	}
	return c.done()
}

func (a *API) appAvailable(c *call) error {
	var fields struct {
		Subdomain json.RawMessage `json:"subdomain"`
	}
	if err := c.read(&fields); err != nil {
		return err
	}
	var subdomain string
	_ = json.Unmarshal(fields.Subdomain, &subdomain) // a value that is not a string is ignored
	found, err := a.o.Apps.Available(c.user, c.app, subdomain)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, found)
}

// start starts the snapshot that the body names. Without one it starts the active
// snapshot, as the published clients expect.
func (a *API) start(c *call) error {
	var fields struct {
		Snapshot string `json:"snapshot"`
	}
	if err := c.read(&fields); err != nil {
		return err
	}
	return a.run(c, func(ctx context.Context, user, app, by string) (apps.App, error) {
		return a.o.Apps.Start(ctx, user, app, fields.Snapshot, c.order(), by)
	})
}

func (a *API) stop(c *call) error    { return a.run(c, a.o.Apps.Stop) }
func (a *API) restart(c *call) error { return a.run(c, a.o.Apps.Restart) }

// run runs a command of an app.
func (a *API) run(c *call, command func(ctx context.Context, user, app, by string) (apps.App, error)) error {
	if err := c.clearDeadlines(); err != nil {
		return err
	}
	app, err := command(c.ctx(), c.user, c.app, c.by())
	return c.answerApp(http.StatusOK, app, err)
}

// by returns the user who changes what an app runs; "" if it is a deployment of one of
// our servers, which has its own record.
func (c *call) by() string {
	switch {
	case c.order() != "":
		return ""
	case c.who.Service:
		return c.user // for whom a server acts
	default:
		return c.who.Username
	}
}

// setSource is an extension of the API.
func (a *API) setSource(c *call) error {
	var fields struct {
		Source string `json:"source"`
	}
	if err := c.read(&fields); err != nil {
		return err
	}
	app, err := a.o.Apps.SetSource(c.user, c.app, fields.Source)
	return c.answerApp(http.StatusOK, app, err)
}

func (a *API) viewCloud(c *call) error {
	cloud, err := a.o.Apps.Cloud(c.user, c.app)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, cloud)
}

func (a *API) setCloud(c *call) error {
	var requested []apps.Cloud
	if err := c.read(&requested); err != nil {
		return err
	}
	if err := c.clearDeadlines(); err != nil {
		return err
	}
	cloud, err := a.o.Apps.SetCloud(c.ctx(), c.user, c.app, requested, c.by())
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, cloud)
}
