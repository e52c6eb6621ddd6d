package gitlab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/nodejitsu/webhooks/adapters/internal/forgehttp"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/connect"
	"github.com/nodejitsu/webhooks/core/redact"
)

var (
	_ connect.Forge   = (*Client)(nil)
	_ connect.Tester  = (*Client)(nil)
	_ connect.Sampler = (*Client)(nil)
)

// hook is what counts of a webhook.
type hook struct {
	ID  int64  `json:"id"`
	URL string `json:"url"`
}

// Hooks returns the webhooks of a project, of which GitLab.com allows a hundred, as
// [connect.Forge] specifies.
func (c *Client) Hooks(ctx context.Context, r core.Repository, token core.Secret) ([]connect.ListedHook, error) {
	call, err := c.project("list the webhooks", r, token, "/hooks?per_page="+strconv.Itoa(perPage))
	if err != nil {
		return nil, err
	}
	var all []hook
	_, err = c.http.JSON(ctx, call, &all)
	list := make([]connect.ListedHook, len(all))
	for i, h := range all {
		list[i] = connect.ListedHook{ID: strconv.FormatInt(h.ID, 10), URL: h.URL}
	}
	return list, err
}

// SetHook makes or changes a webhook, as [connect.Forge] specifies.
func (c *Client) SetHook(ctx context.Context, r core.Repository, id string, h connect.Hook, token core.Secret) (string, []string, error) {
	rest, method := "/hooks", http.MethodPost
	if id != "" {
		rest, method = "/hooks/"+id, http.MethodPut
	}
	call, err := c.project("set a webhook", r, token, rest)
	if err != nil {
		return "", nil, err
	}
	call.Method = method
	call.Body = map[string]any{
		"url": h.URL, "token": h.Secret.Reveal(), "push_events": true, "pipeline_events": h.Checks, "enable_ssl_verification": true,
	}
	var made hook
	if _, err := c.http.JSON(ctx, call, &made); err != nil {
		return "", nil, redact.New(h.Secret).Error(err)
	}
	events := []string{"push"}
	if h.Checks {
		events = append(events, "pipeline")
	}
	return strconv.FormatInt(made.ID, 10), events, nil
}

// The test that deploys nothing and that GitLab can always make: an access token of the
// project that is about to expire, which is made up. GitLab has it since 16.11
// (docs.gitlab.com, "Project webhooks API"; lib/api/hooks/trigger_test.rb).
const (
	testTrigger = "resource_access_token_events"
	testKind    = "access_token"
)

// The wait for a test that failed to be listed.
const (
	testPoll = 500 * time.Millisecond
	testWait = 8 * time.Second
)

// TestHook has a test sent, as [connect.Tester] specifies. GitLab waits for the answer and
// reports whether it was one of 2xx; that of another is in its list of deliveries.
func (c *Client) TestHook(ctx context.Context, r core.Repository, h connect.ListedHook, token core.Secret) (sent bool, status int, err error) {
	before, _, err := c.newestTest(ctx, r, h.ID, token)
	listed := !errors.Is(err, core.ErrNotFound) // since 17.3
	if err != nil && listed {
		return false, 0, err
	}
	err = c.hookCall(ctx, http.MethodPost, "test the webhook", r, token, h.ID+"/test/"+testTrigger, nil)
	switch {
	case err == nil:
		return true, http.StatusOK, nil
	case errors.Is(err, core.ErrNotFound): // the GitLab is older
		return false, 0, nil
	case !errors.Is(err, forgehttp.ErrUnprocessable):
		return false, 0, err
	}
	limit := time.After(testWait)
	for listed {
		id, status, err := c.newestTest(ctx, r, h.ID, token)
		if err != nil || id != before {
			return true, status, err
		}
		select {
		case <-time.After(testPoll):
		case <-limit:
			return true, 0, nil
		case <-ctx.Done():
			return true, 0, fmt.Errorf("gitlab: wait for the test: %w", ctx.Err())
		}
	}
	return true, 0, nil
}

// newestTest returns the id of the newest delivery that is a test, and how it was answered.
func (c *Client) newestTest(ctx context.Context, r core.Repository, id string, token core.Secret) (delivery int64, status int, err error) {
	var events []event // the newest first
	err = c.hookCall(ctx, http.MethodGet, "list the deliveries", r, token, fmt.Sprintf("%s/events?per_page=%d", id, eventsPage), &events)
	for _, e := range events {
		if e.Request.Kind == testKind {
			return e.ID, e.status(), err
		}
	}
	return 0, 0, err
}

// Sample returns a delivery as that of [Client.TestHook], as [connect.Sampler] specifies.
func (c *Client) Sample(r core.Repository, secret core.Secret) (http.Header, []byte) {
	body, _ := json.Marshal(map[string]any{ // strings have JSON
		"object_kind": testKind, "event_name": "expiring_access_token",
		"project": map[string]string{"name": r.Name, "path_with_namespace": r.Slug(), "web_url": c.base.String() + r.Slug()},
	})
	return http.Header{
		"Content-Type": {"application/json"}, "X-Gitlab-Event": {"Resource Access Token Hook"}, "X-Gitlab-Token": {secret.Reveal()},
	}, body
}
