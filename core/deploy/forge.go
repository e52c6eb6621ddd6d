package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// findForge finds the forge of the entry's repository. It was configured when the
// delivery was accepted.
func (a *attempt) findForge(context.Context) result {
	host := a.get().Repository.Forge
	if a.found.forge = a.Forges[host]; a.found.forge == nil {
		return failureOf(core.CodeForgeUnknown, fmt.Errorf("%q was removed from the configuration", host))
	}
	return result{}
}

// token returns the user's access token for the entry's repository, as tokenFor.
func (a *attempt) token(app string) core.Secret { return a.tokenFor(a.get().Repository, app) }

// tokenFor returns the user's access token for the forge of r that may be used for app:
// that of the repository's owner if there is one, else any. A token for one app can't
// be used before the app is known.
func (a *attempt) tokenFor(r core.Repository, app string) core.Secret {
	var found core.Secret
	for _, t := range a.found.tokens {
		if !t.IsFor(r.Forge) || t.App != core.AnyApp && t.App != "" && (app == "" || t.App != app) {
			continue
		}
		if strings.EqualFold(t.Login, r.Owner) {
			return t.Token
		}
		if found.IsZero() {
			found = t.Token
		}
	}
	return found
}

// withToken calls read with the user's access token. If the forge refuses the
// token, it is read without: the repository may be public.
func (a *attempt) withToken(read func(token core.Secret) error) error {
	token := a.token("")
	err := read(token)
	if token.IsZero() || !errors.Is(err, core.ErrUnauthorized) {
		return err
	}
	a.note(a.get().Repository.Forge + " refuses the access token that we keep for you; pair your account again (POST /1/auth)")
	return read(core.Secret{})
}

// file reads a file of the commit.
func (a *attempt) file(ctx context.Context, path string) (content []byte, err error) {
	e := a.get()
	err = a.withToken(func(token core.Secret) error {
		content, err = a.found.forge.File(ctx, e.Repository, e.Commit.ID, path, token)
		return err
	})
	return content, err
}

// fallbackBranch is deployed if neither the URL, the payload nor the forge names a
// branch, as in 2012.
const fallbackBranch = "master"

// checkBranch asks the forge which branch is deployed if the delivery does not
// say, and ignores the others.
func (a *attempt) checkBranch(ctx context.Context) result {
	e := a.get()
	if e.DeployBranch != "" {
		return result{}
	}
	ctx, cancel := context.WithTimeout(ctx, a.StepTimeout)
	defer cancel()
	branch := fallbackBranch
	err := a.withToken(func(token core.Secret) error {
		named, err := a.found.forge.DefaultBranch(ctx, e.Repository, token)
		if err == nil && named != "" {
			branch = named
		}
		return err
	})
	if _, again := core.Retryable(err); again {
		return failureOf(core.CodeDownloadTarball, err)
	}
	a.set(func(e *core.Entry) { e.DeployBranch = branch })
	if e.Branch != branch {
		return ignored(otherBranch(string(e.Kind), e.Branch, branch))
	}
	return result{}
}

// announce sets the commit status to pending.
func (a *attempt) announce(ctx context.Context) result {
	a.setCommitStatus(ctx, core.StatusPending, "")
	return result{}
}

// setCommitStatus sets the commit status on the forge, which also names a push whose app
// can't be found out. later is as of sendStatus.
func (a *attempt) setCommitStatus(ctx context.Context, status core.Status, reason string) (later func(core.Entry)) {
	e := a.get()
	if e.App == "" && status != core.StatusError {
		return nil // there was nothing to deploy
	}
	if status == core.StatusSkipped && !slices.ContainsFunc(e.Steps, func(s core.Step) bool { return s.Name == core.StepStatus }) {
		return nil // the status was not set to pending
	}
	s := CommitStatus{State: "pending", Description: "Deploying " + e.App, TargetURL: a.page(e)}
	switch status {
	case core.StatusOK:
		e.Status = status
		s.State, s.Description = "success", e.Headline()
	case core.StatusError:
		s.State, s.Description = "failure", reason
		for _, code := range []core.Code{core.CodeUploadTarball, core.CodeStartApp, core.CodeNoPackageJSON} {
			// The forge clips it, and the cause says what was not done.
			s.Description = strings.TrimPrefix(s.Description, core.Reason(code)+": ")
		}
	case core.StatusSkipped:
		s.State, s.Description = "error", reason
	}
	return a.sendStatus(ctx, e, s)
}

// page returns the URL of the page of an entry, "" if there are no links.
func (a *attempt) page(e core.Entry) string {
	if a.BaseURL == "" {
		return ""
	}
	return a.BaseURL + e.Page()
}

// sendStatus sets the status of the commit of e, the entry of this attempt or another
// one, if the user has a token for that. It is a courtesy: a failure is shown in its
// step and changes nothing. If the failure is temporary, later tries again beside the
// attempts.
func (a *attempt) sendStatus(ctx context.Context, e core.Entry, s CommitStatus) (later func(core.Entry)) {
	token, forge := a.tokenFor(e.Repository, cmp.Or(e.App, e.Target.App)), a.Forges[e.Repository.Forge]
	if token.IsZero() || forge == nil || e.Commit.ID == "" {
		return nil
	}
	s.App, s.URL = e.App, e.URL
	set := func(ctx context.Context) error {
		return forge.CommitStatus(ctx, e.Repository, e.Commit.ID, s, token)
	}
	r := a.do(ctx, step{name: core.StepStatus, limit: a.StepTimeout, do: func(ctx context.Context) (string, result) {
		return s.State, check(set(ctx))
	}})
	if r.next != failed {
		return nil
	}
	a.Logger.InfoContext(ctx, "commit status not set", "entry_id", e.ID, "uuid", e.UUID, "error", r.err)
	if _, again := core.Retryable(r.err); !again {
		return nil
	}
	return func(e core.Entry) { //nolint:contextcheck // set beside the attempt, which ends before
		a.notifications.again("commit status", e, r.err, set)
	}
}
