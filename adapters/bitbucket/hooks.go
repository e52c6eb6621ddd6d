package bitbucket

import (
	"cmp"
	"context"
	"net/http"
	"strconv"

	"github.com/nodejitsu/webhooks/adapters/internal/forgehttp"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/connect"
	"github.com/nodejitsu/webhooks/core/redact"
)

var (
	_ connect.Forge   = (*Client)(nil)
	_ connect.Sampler = (*Client)(nil)
)

// hook is what counts of a webhook, on Cloud or on Data Center.
type hook struct {
	UUID string `json:"uuid"` // on Cloud
	ID   int64  `json:"id"`   // on Data Center
	URL  string `json:"url"`
}

// id returns the id that the webhook is addressed by.
func (h hook) id() string { return cmp.Or(h.UUID, strconv.FormatInt(h.ID, 10)) }

// listHooks returns the webhooks that call lists.
func listHooks(ctx context.Context, c *forgehttp.Client, call forgehttp.Call) ([]connect.ListedHook, error) {
	var page struct {
		Values []hook `json:"values"`
	}
	_, err := c.JSON(ctx, call, &page)
	list := make([]connect.ListedHook, len(page.Values))
	for i, h := range page.Values {
		list[i] = connect.ListedHook{ID: h.id(), URL: h.URL}
	}
	return list, err
}

// Hooks returns the webhooks of a repository, as [connect.Forge] specifies.
func (c *Client) Hooks(ctx context.Context, r core.Repository, token core.Secret) ([]connect.ListedHook, error) {
	call, err := c.repository("list the webhooks", r, token, "hooks")
	if err != nil {
		return nil, err
	}
	call.URL += "?pagelen=100"
	return listHooks(ctx, c.http, call)
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
	var made hook
	if _, err := c.http.JSON(ctx, call, &made); err != nil {
		return "", nil, redact.New(h.Secret).Error(err)
	}
	return made.id(), events, nil
}

// Sample returns the test of Data Center, signed as Cloud and Data Center sign, as
// [connect.Sampler] specifies. Cloud has no test.
func (c *Client) Sample(_ core.Repository, secret core.Secret) (http.Header, []byte) {
	return sample(secret)
}

func sample(secret core.Secret) (http.Header, []byte) {
	body := []byte(`{"test":true}`)
	return http.Header{
		"Content-Type": {"application/json"}, "X-Event-Key": {"diagnostics:ping"}, "X-Hub-Signature": {"sha256=" + forgehttp.Sign(secret, body)},
	}, body
}
