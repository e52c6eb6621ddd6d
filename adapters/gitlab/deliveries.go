package gitlab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/connect"
)

var _ connect.Deliveries = (*Client)(nil)

// GitLab keeps the deliveries of 7 days, since 17.3 for the API, and sends one again
// since 17.4, at most five in a minute (docs.gitlab.com, "Project webhooks API").
const (
	eventsPage = 20 // GitLab's maximum
	eventPages = 5
)

// event is a delivery of a webhook.
type event struct {
	ID      int64 `json:"id"`
	Request struct {
		Kind string `json:"object_kind"` // "" if the payload was too long to be kept
		Ref  string `json:"ref"`
	} `json:"request_data"`
	Headers map[string]any `json:"response_headers"`
	Status  string         `json:"response_status"` // "internal error" if there was no answer
}

// status returns the status code of the answer, 0 if there was none.
func (e event) status() int {
	code, err := strconv.Atoi(e.Status)
	if err != nil {
		return 0
	}
	return code
}

func (e event) succeeded() bool { return e.status() >= 200 && e.status() < 300 }

// answered reports whether this service answered the delivery, which failed.
func (e event) answered() bool {
	yes, _ := connect.Answered(e.status(), func() ([]string, error) { return slices.Collect(maps.Keys(e.Headers)), nil })
	return yes
}

// Redeliver asks GitLab to send again, of each ref, the newest push if it failed, as
// [connect.Deliveries] specifies. Of a push GitLab does not say when it was made, so an
// older one that comes late would be taken for a newer one. Other events only wake a
// decision, for which GitLab is asked.
//
// GitLab disables a webhook for a while after some failures and sends and lists nothing
// then. Its test enables the webhook, and is a push of the newest commit of the default
// branch.
func (c *Client) Redeliver(ctx context.Context, r core.Repository, id string, missed bool, token core.Secret) (int, error) {
	count := 0
	disabled, err := c.disabled(ctx, r, id, token)
	switch {
	case err != nil:
		return 0, err
	case disabled && missed:
		return 0, fmt.Errorf("gitlab: the webhook of %s is disabled, as deliveries failed; webhooks connect gitlab %s --forge %s --check enables it", r.Slug(), r.Slug(), c.base.Host)
	case disabled:
		if err := c.hookCall(ctx, http.MethodPost, "test the webhook", r, token, id+"/test/push_events", nil); err != nil {
			return 0, err
		}
		count++
	}
	failed, err := c.failedPushes(ctx, r, id, missed, token)
	if err != nil {
		return count, err
	}
	for _, e := range slices.Backward(failed) { // the oldest first, as they were made
		if err := c.hookCall(ctx, http.MethodPost, "redeliver a push", r, token, fmt.Sprintf("%s/events/%d/resend", id, e.ID), nil); err != nil {
			return count, err
		}
		count++
	}
	return count, nil
}

// failedPushes returns, of each ref, the newest push if it failed.
func (c *Client) failedPushes(ctx context.Context, r core.Repository, id string, missed bool, token core.Secret) ([]event, error) {
	var failed []event
	known := map[string]bool{}
	for page := 1; page <= eventPages; page++ {
		var events []event // the newest first
		rest := fmt.Sprintf("%s/events?per_page=%d&page=%d", id, eventsPage, page)
		err := c.hookCall(ctx, http.MethodGet, "list the deliveries", r, token, rest, &events)
		switch {
		case errors.Is(err, core.ErrNotFound) && missed: // the GitLab is older
			return nil, nil
		case errors.Is(err, core.ErrNotFound):
			return nil, errors.New("gitlab: list the deliveries of a webhook: GitLab 17.4 or newer is required")
		case err != nil:
			return nil, err
		}
		for _, e := range events {
			if e.Request.Kind != "push" || known[e.Request.Ref] {
				continue
			}
			known[e.Request.Ref] = true
			if !e.succeeded() && (!missed || !e.answered()) {
				failed = append(failed, e)
			}
		}
		if len(events) < eventsPage {
			break
		}
	}
	return failed, nil
}

// disabled reports whether GitLab has disabled a webhook, for a while or for good.
func (c *Client) disabled(ctx context.Context, r core.Repository, id string, token core.Secret) (bool, error) {
	var hook struct {
		AlertStatus string `json:"alert_status"`
	}
	err := c.hookCall(ctx, http.MethodGet, "read the webhook", r, token, id, &hook)
	return hook.AlertStatus == "disabled" || hook.AlertStatus == "temporarily_disabled", err
}

// hookCall makes a call about the webhooks of a project; rest follows "hooks/".
func (c *Client) hookCall(ctx context.Context, method, doing string, r core.Repository, token core.Secret, rest string, answer any) error {
	call, err := c.project(doing, r, token, "/hooks/"+rest)
	if err != nil {
		return err
	}
	call.Method = method
	_, err = c.http.JSON(ctx, call, answer)
	return err
}
