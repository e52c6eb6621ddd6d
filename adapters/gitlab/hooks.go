package gitlab

import (
	"context"
	"net/http"
	"strconv"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/connect"
	"github.com/nodejitsu/webhooks/core/redact"
)

var _ connect.Forge = (*Client)(nil)

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
