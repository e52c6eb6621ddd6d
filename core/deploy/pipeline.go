package deploy

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// steps is what the steps of one attempt find out for those after them.
type steps struct {
	tokens  []core.ThirdPartyToken
	waits   string // for what; "" where the push need not wait
	pkg     Package
	version string
}

// deploy takes the entry through the steps that are left to do. Each of them
// may be done again without harm, so an attempt begins from the beginning.
func (a *attempt) deploy(ctx context.Context) error {
	if a.entry.Status == core.StatusHeld {
		return a.wokenHeld(ctx)
	}
	if a.entry.Kind == core.EventBuild && a.entry.Released == "" {
		return a.step(ctx, core.StepRelease, a.o.StepTimeout, a.releaseByBuild)
	}
	if err := a.checkNewest(ctx); err != nil {
		return err
	}
	if err := a.readTokens(ctx); err != nil {
		return err
	}
	if a.entry.Released == "" {
		if err := a.step(ctx, core.StepTravis, a.o.StepTimeout, a.readTravis); err != nil {
			return err
		}
	}
	// The entry belongs to its app from here on, also where it goes no further.
	// A package.json that can't be read for now keeps no push from waiting.
	unread := a.step(ctx, core.StepPackage, a.o.StepTimeout, a.readPackage)
	if _, passes := core.Retryable(unread); unread != nil && !passes {
		return unread
	}
	if err := a.gate(ctx); err != nil {
		return err
	}
	if unread != nil {
		return unread
	}
	if err := a.join(ctx); err != nil {
		return err
	}
	a.report(ctx, core.StatusPending, "")
	if err := a.step(ctx, core.StepCreate, a.o.StepTimeout, a.create); err != nil {
		return err
	}
	if err := a.step(ctx, core.StepUpload, a.o.UploadTimeout, a.upload); err != nil {
		return err
	}
	if err := a.checkStanding(ctx); err != nil {
		return err
	}
	return a.step(ctx, core.StepStart, a.o.UploadTimeout, a.start)
}

// readTokens asks for the user's keys to GitHub. Without an answer public
// repositories are still to be read, so only an outage counts.
func (a *attempt) readTokens(ctx context.Context) error {
	call, cancel := context.WithTimeout(ctx, a.o.StepTimeout)
	defer cancel()
	tokens, err := a.o.Accounts.Tokens(call, a.entry.User, true)
	if err != nil && !errors.Is(err, core.ErrNotFound) {
		return core.NewError(core.CodeAuthServerDown, "", err)
	}
	a.steps.tokens = tokens
	return nil
}

// token returns the user's access token for GitHub that serves app: first one
// of the repository's owner, then any. A token for one app can't serve before
// the app is known, as the documentation of POST /1/auth/github says.
func (a *attempt) token(app string) core.Secret {
	var found core.Secret
	for _, t := range a.steps.tokens {
		if t.Provider != core.TokenGitHub || t.App != core.AnyApp && t.App != "" && (app == "" || t.App != app) {
			continue
		}
		if strings.EqualFold(t.Login, a.entry.Repository.Owner) {
			return t.Token
		}
		if found.IsZero() {
			found = t.Token
		}
	}
	return found
}

// withToken calls read with the user's token. A token that GitHub refuses is
// told in the entry and does not stop a public deployment.
func (a *attempt) withToken(read func(token core.Secret) error) error {
	token := a.token("")
	err := read(token)
	if token.IsZero() || !errors.Is(err, core.ErrUnauthorized) {
		return err
	}
	a.note("GitHub refuses the access token that we keep for you; pair your account again (POST /1/auth/github)")
	return read(core.Secret{})
}

func (a *attempt) note(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Contains(a.entry.Notes, text) {
		a.entry.Notes = append(a.entry.Notes, text)
	}
}

// file reads a file of the commit.
func (a *attempt) file(ctx context.Context, path string) (content []byte, err error) {
	err = a.withToken(func(token core.Secret) error {
		content, err = a.o.Source.File(ctx, a.entry.Repository, a.entry.Commit.ID, path, token)
		return err
	})
	return content, err
}

func (a *attempt) readPackage(ctx context.Context) (string, error) {
	text, err := a.file(ctx, "package.json")
	if err != nil {
		return "", core.NewError(core.CodeNoPackageJSON, "", err)
	}
	pkg, version, err := parsePackage(text)
	if err != nil {
		return "", core.NewError(core.CodeBadPackageJSON, "", err)
	}
	a.steps.pkg, a.steps.version = pkg, version
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entry.App = pkg.Name
	a.entry.Snapshot = snapshotID(version, a.entry.Commit.ID)
	return pkg.Name + " " + version, nil
}

// appBusyWait is the time between two looks at what is in somebody's hands.
const appBusyWait = 500 * time.Millisecond

// join makes the claim hold the app, so that two repositories, or two
// branches, that deploy the same app take turns. The app is the last thing
// that a deployment takes hold of, so no two can wait for each other.
func (a *attempt) join(ctx context.Context) error {
	for {
		var newest string
		var busy bool
		err := a.o.persist(ctx, "joining the app's queue", func(ctx context.Context) (err error) {
			ctx, cancel := context.WithTimeout(ctx, a.o.StoreTimeout)
			defer cancel()
			newest, busy, err = a.o.Queue.ClaimApp(ctx, a.claim, a.entry.App)
			return err
		})
		if err != nil {
			return err
		}
		if !busy {
			a.noteNewest(newest)
			return a.checkNewest(ctx)
		}
		select {
		case <-time.After(appBusyWait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := a.checkNewest(ctx); err != nil {
			return err
		}
	}
}

func (a *attempt) create(ctx context.Context) (string, error) {
	if err := a.o.Platform.Create(ctx, a.entry.User, a.steps.pkg); err != nil {
		return "", core.NewError(core.CodeStartApp, "", err)
	}
	return "", nil
}

// upload sends the commit's tree to the platform as one stream, which never
// touches this machine's disk.
func (a *attempt) upload(ctx context.Context) (string, error) {
	body := newTarball(ctx, a.entry.Commit.ID, a.o.Archive, a.o.Gzip, func(ctx context.Context) (source io.ReadCloser, err error) {
		err = a.withToken(func(token core.Secret) error {
			source, err = a.o.Source.Tarball(ctx, a.entry.Repository, a.entry.Commit.ID, token)
			return err
		})
		return source, err
	})
	a.mu.Lock()
	a.output = tail{}
	a.mu.Unlock()
	err := a.o.Platform.Upload(ctx, a.entry.User, a.steps.pkg, a.entry.Snapshot, body, &buildOutput{ctx, a})
	notes, failure := body.Close()
	if failure != nil {
		return "", failure // the source's, of which the platform's is only the echo
	}
	for _, text := range notes {
		a.note(text)
	}
	if err != nil {
		return "", uploadError(err)
	}
	return a.entry.Snapshot, nil
}

// uploadError returns the failure that an error of the platform is. Why a build
// failed is said by it.
func uploadError(err error) error {
	e := core.NewError(core.CodeUploadTarball, "", err)
	if built, ok := errors.AsType[*core.Error](err); ok && built.Code == core.CodePlatformBuildFailed && built.Reason != "" {
		e.Reason, e.Detail = "The build failed: "+built.Reason, built.Detail
	}
	return e
}

// checkStanding asks once more, right before what can't be undone, whether the
// claim still holds and the entry is the newest.
func (a *attempt) checkStanding(ctx context.Context) error {
	var newest string
	err := a.o.persist(ctx, "renewing the claim", func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, a.o.StoreTimeout)
		defer cancel()
		newest, err = a.o.Queue.Renew(ctx, a.claim, a.o.Lease)
		return err
	})
	if err != nil {
		return err
	}
	a.noteNewest(newest)
	return a.checkNewest(ctx)
}

func (a *attempt) start(ctx context.Context) (string, error) {
	url, err := a.o.Platform.Start(ctx, a.entry.User, a.steps.pkg, a.entry.Snapshot, a.claim.Order())
	if errors.Is(err, core.ErrSuperseded) {
		return "", skip("Superseded by a later deployment of %s", a.entry.App)
	}
	if err != nil {
		return "", core.NewError(core.CodeStartApp, "", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.entry.URL = url
	return url, nil
}

// report sets the commit's status on GitHub, where an account is paired. It
// is a courtesy: its failure is told in its step and changes nothing. Where that
// may pass, retell tries again beside the attempts.
func (a *attempt) report(ctx context.Context, status core.Status, reason string) (retell func(core.Entry)) {
	token := a.token(a.entry.App)
	if token.IsZero() || a.entry.App == "" {
		return nil
	}
	if status == core.StatusSkipped && !slices.ContainsFunc(a.entry.Steps, func(s core.Step) bool { return s.Name == core.StepStatus }) {
		return nil // nothing was begun that GitHub was told of
	}
	s := CommitStatus{App: a.entry.App, State: "pending", Description: "Deploying " + a.entry.App, URL: a.entry.URL}
	switch status {
	case core.StatusOK:
		s.State, s.Description = "success", "Deployed "+a.entry.App
	case core.StatusError:
		s.State, s.Description = "failure", reason
	case core.StatusSkipped:
		s.State, s.Description = "error", reason
	}
	if a.o.BaseURL != "" {
		s.TargetURL = a.o.BaseURL + "/1/status/" + a.entry.User + "/changes/" + a.entry.ID
	}
	set := func(ctx context.Context) error {
		return a.o.Source.SetStatus(ctx, a.entry.Repository, a.entry.Commit.ID, s, token)
	}
	err := a.step(ctx, core.StepStatus, a.o.StepTimeout, func(ctx context.Context) (string, error) { return s.State, set(ctx) })
	if err == nil {
		return nil
	}
	a.o.Logger.InfoContext(ctx, "commit status not set", "entry_id", a.entry.ID, "uuid", a.entry.UUID, "error", err)
	if _, passes := core.Retryable(err); !passes {
		return nil
	}
	return func(e core.Entry) { //nolint:contextcheck // told beside the attempt, which ends before
		a.told.again("commit status", e, err, set)
	}
}
