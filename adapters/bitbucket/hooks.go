package bitbucket

import (
	"context"
	"net/http"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/connect"
	"github.com/nodejitsu/webhooks/core/redact"
)

var _ connect.Forge = (*Client)(nil)

// FindHook returns the id of the webhook with that URL, as [connect.Forge] specifies.
func (c *Client) FindHook(ctx context.Context, r core.Repository, url string, token core.Secret) (string, error) {
	call, err := c.repository("list the webhooks", r, token, "hooks")
	if err != nil {
		return "", err
	}
	call.URL += "?pagelen=100"
	var page struct {
		Values []struct {
			UUID string `json:"uuid"`
			URL  string `json:"url"`
		} `json:"values"`
	}
	if _, err := c.http.JSON(ctx, call, &page); err != nil {
		return "", err
	}
	for _, h := range page.Values {
		if h.URL == url {
			return h.UUID, nil
		}
	}
	return "", nil
}

// SetHook makes or changes a webhook, as [connect.Forge] specifies.
func (c *Client) SetHook(ctx context.Context, r core.Repository, id string, h connect.Hook, token core.Secret) (string, []string, error) {
	parts, method := []string{"hooks"}, http.MethodPost
	if id != "" {
		parts, method = append(parts, id), http.MethodPut
	}
	call, err := c.repository("set a webhook", r, token, parts...)
	if err != nil {
		return "", nil, err
	}
	events := []string{"repo:push"}
	if h.Checks {
		events = append(events, "repo:commit_status_created", "repo:commit_status_updated")
	}
	call.Method = method
	call.Body = map[string]any{"description": statusName, "url": h.URL, "active": true, "secret": h.Secret.Reveal(), "events": events}
	var made struct {
		UUID string `json:"uuid"`
	}
	if _, err := c.http.JSON(ctx, call, &made); err != nil {
		return "", nil, redact.New(h.Secret).Error(err)
	}
	return made.UUID, events, nil
}
