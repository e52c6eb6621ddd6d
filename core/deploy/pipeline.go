package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// pipeline returns the steps that the entry has before it. Each can be repeated
// without harm, so an attempt always begins with the first.
func (a *attempt) pipeline() []step {
	e := a.get()
	switch {
	case e.Status == core.StatusHeld:
		return []step{
			{do: unnamed(a.checkNewest)},
			{do: unnamed(a.endHold)},
		}
	case e.Kind == core.EventRelease:
		return []step{{do: unnamed(a.readTokens)}, {do: unnamed(a.conclusion)}}
	case e.Kind == core.EventBuild && e.Released == "":
		return []step{{name: core.StepRelease, limit: a.StepTimeout, do: a.report}}
	}
	steps := []step{
		{do: unnamed(a.checkNewest)},
		{do: unnamed(a.findForge)},
		{do: unnamed(a.readTokens)},
		{do: unnamed(a.checkBranch)},
		{name: core.StepGate, limit: a.StepTimeout, do: a.askGates},
		// From here on the entry belongs to its app, however it ends. A package.json
		// that can't be read for now does not keep the push from waiting.
		{name: core.StepPackage, limit: a.StepTimeout, do: a.readPackage},
		{do: unnamed(a.passGate)},
		{do: unnamed(func(context.Context) result { return a.found.deferred })},
		{do: unnamed(a.checkSource)},
		{do: unnamed(a.claimApp)},
		{do: unnamed(a.checkApp)},
		{do: unnamed(a.announce)},
		{name: core.StepCreate, limit: a.StepTimeout, do: a.create},
		{name: core.StepUpload, limit: a.UploadTimeout, do: a.upload},
		{do: unnamed(a.confirmClaim)},
		{name: core.StepStart, limit: a.UploadTimeout, do: a.start},
	}
	if e.Released != "" { // it has passed its gate, or its owner wants it anyway
		steps = without(steps, core.StepGate)
	}
	return steps
}

// unnamed makes a step that has no detail.
func unnamed(f func(ctx context.Context) result) func(context.Context) (string, result) {
	return func(ctx context.Context) (string, result) { return "", f(ctx) }
}

func without(steps []step, name core.StepName) []step {
	var others []step
	for _, s := range steps {
		if s.name != name {
			others = append(others, s)
		}
	}
	return others
}

// readTokens reads the user's access tokens. Public repositories can be read
// without, so only an outage is a failure.
func (a *attempt) readTokens(ctx context.Context) result {
	ctx, cancel := context.WithTimeout(ctx, a.StepTimeout)
	defer cancel()
	tokens, err := a.Accounts.Tokens(ctx, a.claim.Change.Entry.User, true)
	if err != nil && !errors.Is(err, core.ErrNotFound) {
		return failureOf(core.CodeAuthServerDown, err)
	}
	a.found.tokens = tokens
	return result{}
}

func (a *attempt) readPackage(ctx context.Context) (string, result) {
	target := a.get().Target
	name := path.Join(target.Root, "package.json")
	text, err := a.file(ctx, name)
	if errors.Is(err, core.ErrNotFound) {
		return "", failure(a.noPackage(ctx, err))
	}
	if err != nil {
		r := failureOf(core.CodeNoPackageJSON, fmt.Errorf("%s: %w", name, err))
		if _, again := core.Retryable(err); again {
			r.next = deferred
		}
		return "", r
	}
	m, err := parseManifest(text)
	if err != nil {
		return "", failureOf(core.CodeBadPackageJSON, err)
	}
	app, note, err := m.app(a.get())
	if err != nil {
		return "", failureOf(core.CodeBadPackageJSON, err)
	}
	fields, err := m.fields(app)
	if err != nil {
		return "", failureOf(core.CodeBadPackageJSON, err)
	}
	a.note(note)
	a.found.pkg = Package{Name: app, Root: target.Root, Fields: fields}
	a.set(func(e *core.Entry) { e.App, e.Snapshot = app, snapshotID(m.version, e.Commit.ID, target.Root) })
	return app + " " + m.version, result{}
}

// noPackage returns the failure of a commit without the package.json of the app, or of
// a repository that can't be read; the answer of a forge to both is the same.
func (a *attempt) noPackage(ctx context.Context, cause error) error {
	e := a.get()
	where, remedy := "top folder", "Add one; if the app is in another folder, add root=FOLDER to the webhook's URL"
	if root := e.Target.Root; root != "" {
		where, remedy = "folder "+root, fmt.Sprintf("Add one, or correct root=%s in the webhook's URL", root)
	}
	what := fmt.Sprintf("no package.json in the %s at %.7s", where, e.Commit.ID)
	err := a.withToken(func(token core.Secret) error {
		_, err := a.found.forge.DefaultBranch(ctx, e.Repository, token)
		return err
	})
	if errors.Is(err, core.ErrNotFound) {
		what = e.Repository.Slug() + " is private, or does not exist"
		remedy = "Pair an account that may read it (webhooks pair), then redeliver the webhook"
		if !a.token("").IsZero() {
			what = "the paired account does not see " + e.Repository.Slug()
			remedy = "Pair one that may read it (webhooks pair), then redeliver the webhook"
		}
	}
	return core.NewError(core.CodeNoPackageJSON, fmt.Sprintf("%s: %s. %s", core.Reason(core.CodeNoPackageJSON), what, remedy), cause)
}

// appBusyWait is the time between two looks at an app that is claimed.
const appBusyWait = 500 * time.Millisecond

// claimApp extends the claim to the app, so that two repositories, or two
// branches, that deploy the same app do so one after the other. The app is the
// last thing that an attempt claims, so no two attempts wait for each other.
func (a *attempt) claimApp(ctx context.Context) result {
	for {
		var newest string
		var busy bool
		err := a.retry(ctx, "claim app", func(ctx context.Context) (err error) {
			newest, busy, err = a.Queue.ClaimApp(ctx, a.claim, a.found.pkg.Name)
			return err
		})
		if err != nil {
			return failure(err)
		}
		if !busy {
			a.noteNewest(newest)
			return a.checkNewest(ctx)
		}
		select {
		case <-time.After(appBusyWait):
		case <-ctx.Done():
			return failure(context.Cause(ctx))
		}
		if r := a.checkNewest(ctx); r.next != proceed {
			return r
		}
	}
}

// upload sends the commit's tree to the platform as one stream, which never
// touches this machine's disk.
func (a *attempt) upload(ctx context.Context) (string, result) {
	e := a.get()
	body := newTarball(ctx, e.Commit.ID, a.Archive, a.Gzip, func(ctx context.Context) (source io.ReadCloser, err error) {
		err = a.withToken(func(token core.Secret) error {
			source, err = a.found.forge.Archive(ctx, e.Repository, e.Commit.ID, token)
			return err
		})
		return source, err
	})
	a.clearOutput()
	stop, followed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(followed)
		a.follow(context.WithoutCancel(ctx), a.update, stop)
	}()
	err := a.Platform.Upload(ctx, e.User, a.found.pkg, e.Snapshot, body, a.record)
	close(stop)
	<-followed // no other goroutine saves the entry now
	notes, sourceErr := body.Close()
	for _, note := range notes {
		a.note(note)
	}
	switch {
	case sourceErr != nil: // which the platform's error only repeats
		return "", failure(sourceErr)
	case err != nil:
		return "", failureOf(core.CodeUploadTarball, err)
	}
	return e.Snapshot, result{}
}

// confirmClaim makes sure, right before what can't be undone and before the entry is
// held, that the claim was not lost and that the entry is the newest.
func (a *attempt) confirmClaim(ctx context.Context) result {
	var newest string
	err := a.retry(ctx, "renew", func(ctx context.Context) (err error) {
		newest, err = a.Queue.Renew(ctx, a.claim, a.Lease)
		return err
	})
	if err != nil {
		return failure(err)
	}
	a.noteNewest(newest)
	return a.checkNewest(ctx)
}

func (a *attempt) start(ctx context.Context) (string, result) {
	e := a.get()
	url, err := a.Platform.Start(ctx, e.User, a.found.pkg, e.Snapshot, a.claim.Order())
	if errors.Is(err, core.ErrSuperseded) {
		return "", skipped("Superseded by a later deployment of %s", e.App)
	}
	if err != nil {
		return "", failureOf(core.CodeStartApp, err)
	}
	a.set(func(e *core.Entry) { e.URL = url })
	a.setSource(ctx)
	return url, result{}
}
