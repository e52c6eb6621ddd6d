package httpapi

import (
	"context"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// deploy accepts a delivery and responds with its outcome, if that is known soon.
func (a *API) deploy(c *gin.Context) error {
	began := time.Now()
	waits := func(sender core.Provider) time.Duration { return a.patience(c, min(a.o.Wait, longestWait(sender))) }
	receipt, err := a.deliver(c, func(sender core.Provider) time.Time { return began.Add(waits(sender)) })
	if err != nil {
		return err
	}
	c.Set(keyUser, receipt.Change.Entry.User)
	sender := receipt.Change.Entry.Provider
	wait := waits(sender)
	a.extendDeadline(c, wait)
	// The sender has been waiting since the request arrived.
	change := a.await(c, receipt.Change, wait-time.Since(began))
	if change.Entry.Status == core.StatusError && countsFailures(sender) {
		return a.answerChange(c, change)
	}
	return a.answer(c, change)
}

// longestWait returns how long a sender is let wait that does not say for how long. Gitea
// and its relatives give up after 5 s (DELIVER_TIMEOUT in their configuration), the
// others after 10 s or more.
func longestWait(sender core.Provider) time.Duration {
	if sender == core.ProviderGitea {
		return 4 * time.Second
	}
	return time.Hour
}

// countsFailures reports whether a sender draws conclusions from the status of an
// answer: GitLab disables a webhook after four failures in a row, 4xx among them
// (docs.gitlab.com, "Webhooks"), and Bitbucket delivers again after a 5xx. To them a
// delivery that was accepted has succeeded, whatever became of its deployment.
func countsFailures(sender core.Provider) bool {
	return sender == core.ProviderGitLab || sender == core.ProviderBitbucket
}

// deliver reads a delivery and passes it on. When it returns, the body is not in
// memory any more.
func (a *API) deliver(c *gin.Context, answerBy func(core.Provider) time.Time) (receipt deploy.Receipt, err error) {
	if err := a.admit(); err != nil {
		return receipt, err
	}
	query, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return receipt, invalid(core.CodeDeployParams, "the query string", "pairs of the form name=value, percent-encoded")
	}
	target, err := core.NewTarget(query.Get)
	if err != nil {
		return receipt, core.Errorf(core.CodeDeployParams, "A parameter of the request is invalid: %v", err)
	}
	sent, err := credentials(c.Request.Header)
	if err != nil {
		return receipt, core.NewError(core.CodeBadCreds, "", err)
	}
	body, release, err := a.readBody(c, core.MaxPayload)
	defer release()
	if err != nil {
		return receipt, err
	}
	leave, err := a.deliveries.enter(c.Request.Context())
	if err != nil {
		return receipt, err
	}
	defer leave()
	delivery, err := core.NewDelivery(senderHeader(c.Request.Header), body)
	if err != nil {
		return receipt, err
	}
	err = a.throttled(c, sent, func() error {
		receipt, err = a.o.Deploy.Deliver(c.Request.Context(), deploy.Request{
			UUID: uuidOf(c), Delivery: delivery, Credentials: sent, User: query.Get("user"), Target: target, AnswerBy: answerBy,
		})
		return err
	})
	return receipt, err
}

// admit fails if another delivery would be refused now, so that no more of it is
// read.
func (a *API) admit() error {
	if err := a.deliveries.check(); err != nil {
		return err
	}
	return a.o.Deploy.Admit()
}

// release lets a held entry go on. It waits for the outcome only if the client
// prefers that.
func (a *API) release(c *gin.Context) error { return a.act(c, a.o.Deploy.Release) }

// redeliver delivers the payload of an entry again, as a new entry.
func (a *API) redeliver(c *gin.Context) error {
	return a.act(c, func(ctx context.Context, user, id string) (core.Change, error) {
		return a.o.Deploy.Redeliver(ctx, user, id, uuidOf(c))
	})
}

// cancel ends a pending or held entry.
func (a *API) cancel(c *gin.Context) error { return a.act(c, a.o.Deploy.Cancel) }

// act does something with an entry for its owner, and responds with what came of it. It
// waits for the outcome only if the client prefers that.
func (a *API) act(c *gin.Context, do func(ctx context.Context, user, id string) (core.Change, error)) error {
	user, err := a.authorize(c)
	if err != nil {
		return err
	}
	wait := a.patience(c, 0)
	a.extendDeadline(c, wait)
	change, err := do(c.Request.Context(), user, c.Param("id"))
	if err != nil {
		return err
	}
	return a.answer(c, a.await(c, change, wait))
}

// senderHeader returns the headers that a provider may read: all but the
// credentials.
func senderHeader(h http.Header) textproto.MIMEHeader {
	h = maps.Clone(h) // the values are not modified
	delete(h, "Authorization")
	delete(h, "Cookie")
	return textproto.MIMEHeader(h)
}

// extendDeadline leaves time to wait and respond, which the server's WriteTimeout,
// counting from the request's first byte, may not.
func (a *API) extendDeadline(c *gin.Context, wait time.Duration) {
	const responding = 30 * time.Second
	// A writer without deadlines needs none to be extended.
	_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(wait + responding))
}

// await returns the newest change of a pending entry, or of the push that a
// build report lets go on, as soon as it is not pending any more, at the latest
// after wait or when feeds end.
func (a *API) await(c *gin.Context, change core.Change, wait time.Duration) core.Change {
	if change.Entry.Status != core.StatusPending && change.Entry.Releases == "" || wait <= 0 {
		return change
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), wait)
	defer cancel()
	defer context.AfterFunc(a.ending, cancel)()
	newest, err := a.o.Deploy.Wait(ctx, change.Entry.ID)
	if err != nil {
		// The delivery is accepted, whatever went wrong since.
		a.o.Logger.WarnContext(c.Request.Context(), "waiting for an outcome failed",
			"uuid", uuidOf(c), "entry_id", change.Entry.ID, "error", err)
		return change
	}
	return newest
}

// answer responds with an entry: its change, or its error.
func (a *API) answer(c *gin.Context, change core.Change) error {
	e := change.Entry
	if e.Status == core.StatusError {
		c.Set(keyEntryID, e.ID)
		if e.User != "" {
			c.Set(keyEntryURL, a.base(c)+"/1/status/"+e.User+"/changes/"+e.ID)
			c.Set(keyEntryPage, a.base(c)+e.Page())
		}
		if e.Error == nil {
			return core.NewError(core.CodeInternal, "", nil)
		}
		return &core.Error{Code: e.Error.Code, Reason: e.Error.Reason, Detail: e.Error.Detail}
	}
	return a.answerChange(c, change)
}

// answerChange responds with the change of an entry.
func (a *API) answerChange(c *gin.Context, change core.Change) error {
	e := change.Entry
	c.Set(keyEntryID, e.ID)
	base := a.base(c)
	line, err := core.NewShortLine(change)
	if err != nil {
		return err
	}
	code := http.StatusOK
	if !e.Status.Outcome() {
		code = http.StatusAccepted
		if e.User != "" {
			c.Header("Location", base+"/1/status/"+e.User+"/changes/"+e.ID)
		}
	}
	c.Data(code, typeJSON, append(line.AppendTo(nil, base, core.DocNever), '\n'))
	return nil
}
