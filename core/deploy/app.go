package deploy

import (
	"context"
	"errors"

	"github.com/nodejitsu/webhooks/core"
)

// source is what an app is deployed from: repository, branch and folder, such as
// "github.com/octo/hello@main" or "github.com/octo/all@main:packages/api".
func source(e core.Entry) string {
	text := e.Repository.Key() + "@" + e.Branch
	if e.Target.Root != "" {
		text += ":" + e.Target.Root
	}
	return text
}

// checkSource refuses to deploy an app from another source than it belongs to: the one
// that deployed it first. So no repository takes over another one's app of the same
// name; but a webhook that names the app may deploy it from anywhere. It is called
// before the entry claims the app, as a refused one must not supersede others.
func (a *attempt) checkSource(ctx context.Context) result {
	ctx, cancel := context.WithTimeout(ctx, a.StepTimeout)
	defer cancel()
	e := a.get()
	app, err := a.Platform.FindApp(ctx, e.User, e.App)
	a.found.app, a.found.isNew = app, errors.Is(err, core.ErrNotFound)
	if err != nil && !a.found.isNew {
		return failureOf(core.CodeStartApp, err)
	}
	if from := source(e); app.Source != "" && app.Source != from && e.Target.App == "" {
		return failure(core.Errorf(core.CodeOtherSource,
			"%s: %s is deployed from %s, and this delivery is of %s. To deploy it as another app, add app=NAME to the webhook's URL; to move the app, run `webhooks apps source %[2]s %[4]s` and redeliver",
			core.Reason(core.CodeOtherSource), e.App, app.Source, from))
	}
	return result{}
}

// checkApp looks at the app again once the entry has claimed it. The commit that runs
// is not deployed again unless that was asked for.
func (a *attempt) checkApp(ctx context.Context) result {
	if r := a.checkSource(ctx); r.next != proceed {
		return r
	}
	if e := a.get(); a.found.app.Running == e.Snapshot && !e.Again {
		a.set(func(e *core.Entry) { e.URL = a.found.app.URL })
		return done("The app runs this commit already; `webhooks redeliver` deploys it again")
	}
	return result{}
}

// create creates the app if it is new.
func (a *attempt) create(ctx context.Context) (string, result) {
	if !a.found.isNew {
		return "", result{}
	}
	e := a.get()
	if err := a.Platform.Create(ctx, e.User, a.found.pkg); err != nil {
		return "", failureOf(core.CodeStartApp, err)
	}
	if err := a.Platform.SetSource(ctx, e.User, e.App, source(e)); err != nil {
		return "", failureOf(core.CodeStartApp, err)
	}
	a.found.app.Source = source(e)
	return "", result{}
}

// setSource notes what the app is deployed from, after it has been. The app runs, so
// a failure changes nothing.
func (a *attempt) setSource(ctx context.Context) {
	e := a.get()
	from := source(e)
	if a.found.app.Source == from {
		return
	}
	if err := a.Platform.SetSource(ctx, e.User, e.App, from); err != nil {
		a.Logger.WarnContext(ctx, "source of app not saved", "entry_id", e.ID, "uuid", e.UUID, "error", err)
		a.note("What the app is deployed from could not be saved; the next deployment tries again")
	}
}
