package gitea

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/nodejitsu/webhooks/adapters/internal/forgehttp"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/connect"
	"github.com/nodejitsu/webhooks/core/redact"
)

var (
	_ connect.Forge   = (*Client)(nil)
	_ connect.Pinger  = (*Client)(nil)
	_ connect.Sampler = (*Client)(nil)
)

type hook struct {
	ID     int64             `json:"id,omitempty"`
	Type   string            `json:"type,omitempty"`
	Active bool              `json:"active"`
	Events []string          `json:"events"`
	Config map[string]string `json:"config"`
}

// Hooks returns the webhooks of a repository, as [connect.Forge] specifies.
func (c *Client) Hooks(ctx context.Context, r core.Repository, token core.Secret) ([]connect.ListedHook, error) {
	call, err := c.repository("list the webhooks", r, token, "?limit="+strconv.Itoa(perPage), "hooks")
	if err != nil {
		return nil, err
	}
	var all []hook
	_, err = c.http.JSON(ctx, call, &all)
	list := make([]connect.ListedHook, len(all))
	for i, h := range all {
		list[i] = connect.ListedHook{ID: strconv.FormatInt(h.ID, 10), URL: h.Config["url"]}
	}
	return list, err
}

// SetHook makes or changes a webhook, as [connect.Forge] specifies. One of type gitea is
// known to Forgejo, too.
func (c *Client) SetHook(ctx context.Context, r core.Repository, id string, h connect.Hook, token core.Secret) (string, []string, error) {
	wanted := hook{
		Type: kind, Active: true, Events: []string{"push"},
		Config: map[string]string{"url": h.URL, "content_type": "json", "secret": h.Secret.Reveal()},
	}
	if c.gogs {
		wanted.Type = "gogs"
	} else if h.Checks {
		// Gitea and Forgejo have different events of runs, and pass over those that they
		// don't know.
		wanted.Events = append(wanted.Events, "status", "workflow_run", "action_run_success", "action_run_recover", "action_run_failure")
	}
	parts, method := []string{"hooks"}, http.MethodPost
	if id != "" {
		parts, method, wanted.Type = append(parts, id), http.MethodPatch, ""
	}
	call, err := c.repository("set a webhook", r, token, "", parts...)
	if err != nil {
		return "", nil, err
	}
	call.Method, call.Body = method, wanted
	var made hook
	if _, err := c.http.JSON(ctx, call, &made); err != nil {
		return "", nil, redact.New(h.Secret).Error(err)
	}
	return strconv.FormatInt(made.ID, 10), wanted.Events, nil
}

// PingHook has the servers' test sent, as [connect.Pinger] specifies: a push of the newest
// commit from itself. It is sent only if there is a commit.
func (c *Client) PingHook(ctx context.Context, r core.Repository, id string, token core.Secret) (bool, error) {
	if c.gogs { // its API has none
		return false, nil
	}
	call, err := c.repository("test a webhook", r, token, "", "hooks", id, "tests")
	if err != nil {
		return false, err
	}
	call.Method = http.MethodPost
	_, err = c.http.JSON(ctx, call, nil)
	return err == nil, err
}

// Sample returns a delivery that deploys nothing, as [connect.Sampler] specifies. It is of
// an event that the servers do not have: their own test is the newest push.
func (c *Client) Sample(r core.Repository, secret core.Secret) (http.Header, []byte) {
	body, _ := json.Marshal(map[string]any{"repository": map[string]any{ // strings have JSON
		"name": r.Name, "full_name": r.Slug(), "html_url": c.base.String() + r.Slug(), "owner": map[string]string{"login": r.Owner},
	}})
	server := "X-Gitea-"
	if c.gogs {
		server = "X-Gogs-"
	}
	return http.Header{
		"Content-Type": {"application/json"}, server + "Event": {"ping"}, server + "Signature": {forgehttp.Sign(secret, body)},
	}, body
}
