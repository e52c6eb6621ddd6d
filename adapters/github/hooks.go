package github

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/connect"
	"github.com/nodejitsu/webhooks/core/redact"
)

var (
	_ connect.Forge      = (*Client)(nil)
	_ connect.Tester     = (*Client)(nil)
	_ connect.Deliveries = (*Client)(nil)
)

// hook is what counts of a webhook (docs.github.com, "REST API endpoints for repository
// webhooks").
type hook struct {
	ID     int64      `json:"id,omitempty"`
	Name   string     `json:"name,omitempty"`
	Active bool       `json:"active"`
	Events []string   `json:"events,omitempty"`
	Config hookConfig `json:"config"`
}

type hookConfig struct {
	URL         string `json:"url,omitempty"`
	ContentType string `json:"content_type,omitempty"`
	Secret      string `json:"secret,omitempty"`
	InsecureSSL string `json:"insecure_ssl,omitempty"`
}

// hooksCall makes one call about the webhooks of a repository; rest follows "hooks". What
// is read is polled: GitHub counts no answer that did not change.
func (c *Client) hooksCall(ctx context.Context, method string, r core.Repository, rest string, token core.Secret, body, answer any) (err error) {
	defer func() { err = redact.New(token).Error(err) }()
	client, err := c.repositoryAPI(r, token)
	if err != nil {
		return err
	}
	doing := "manage the webhooks of " + r.Slug()
	req, err := client.NewRequest(method, "repos/"+r.Slug()+"/hooks"+rest, body)
	if err != nil {
		return fmt.Errorf("github: %s: %w", doing, err)
	}
	bounded, cancel := withCallTimeout(ctx)
	defer cancel()
	var resp *gh.Response
	resp, err = client.Do(bounded, req, answer)
	if _, accepted := errors.AsType[*gh.AcceptedError](err); accepted { // go-github makes an error of it
		return nil
	}
	if err != nil {
		return c.failure(ctx, doing, resp, err)
	}
	return nil
}

// Hooks returns the webhooks of a repository, of which there are at most 20 for an
// event, as [connect.Forge] specifies.
func (c *Client) Hooks(ctx context.Context, r core.Repository, token core.Secret) ([]connect.ListedHook, error) {
	var all []hook
	err := c.hooksCall(ctx, http.MethodGet, r, "?per_page="+strconv.Itoa(perPage), token, nil, &all)
	list := make([]connect.ListedHook, len(all))
	for i, h := range all {
		list[i] = connect.ListedHook{ID: strconv.FormatInt(h.ID, 10), URL: h.Config.URL}
	}
	return list, err
}

// SetHook makes or changes a webhook, as [connect.Forge] specifies.
func (c *Client) SetHook(ctx context.Context, r core.Repository, id string, h connect.Hook, token core.Secret) (string, []string, error) {
	wanted := hook{
		Name: "web", Active: true, Events: []string{"push"},
		Config: hookConfig{URL: h.URL, ContentType: "json", Secret: h.Secret.Reveal(), InsecureSSL: "0"},
	}
	if h.Checks {
		wanted.Events = append(wanted.Events, "workflow_run", "check_suite", "status")
	}
	method, rest := http.MethodPost, ""
	if id != "" {
		method, rest, wanted.Name = http.MethodPatch, "/"+id, ""
	}
	var made hook
	if err := c.hooksCall(ctx, method, r, rest, token, wanted, &made); err != nil {
		return "", nil, redact.New(h.Secret).Error(err)
	}
	return strconv.FormatInt(made.ID, 10), wanted.Events, nil
}

// hookDelivery is a delivery as GitHub lists it.
type hookDelivery struct {
	ID         int64     `json:"id"`
	GUID       string    `json:"guid"`
	Event      string    `json:"event"`
	StatusCode int       `json:"status_code"`
	Delivered  time.Time `json:"delivered_at"`
}

func (d hookDelivery) succeeded() bool { return d.StatusCode >= 200 && d.StatusCode < 300 }

// deliveries returns the last deliveries of a webhook, the newest first.
func (c *Client) deliveries(ctx context.Context, r core.Repository, id string, token core.Secret) ([]hookDelivery, error) {
	var all []hookDelivery
	err := c.hooksCall(ctx, http.MethodGet, r, "/"+id+"/deliveries?per_page="+strconv.Itoa(perPage), token, nil, &all)
	return all, err
}

// The wait for a ping to be delivered and listed.
const (
	pingPoll = 500 * time.Millisecond
	pingWait = 12 * time.Second // GitHub waits 10 s for the answer
)

// TestHook has a ping sent and returns how it was answered, as [connect.Tester]
// specifies.
func (c *Client) TestHook(ctx context.Context, r core.Repository, h connect.ListedHook, token core.Secret) (sent bool, status int, err error) {
	before, err := c.deliveries(ctx, r, h.ID, token)
	if err != nil {
		return false, 0, err
	}
	known := map[int64]bool{}
	for _, d := range before {
		known[d.ID] = true
	}
	if err := c.hooksCall(ctx, http.MethodPost, r, "/"+h.ID+"/pings", token, nil, nil); err != nil {
		return false, 0, err
	}
	limit := time.After(pingWait)
	for {
		all, err := c.deliveries(ctx, r, h.ID, token)
		if err != nil {
			return false, 0, err
		}
		for _, d := range all {
			if d.Event == "ping" && !known[d.ID] {
				return true, d.StatusCode, nil
			}
		}
		select {
		case <-time.After(pingPoll):
		case <-limit:
			return true, 0, nil
		case <-ctx.Done():
			return false, 0, fmt.Errorf("github: wait for the ping: %w", ctx.Err())
		}
	}
}

// redeliverable is how long after a delivery GitHub sends it again.
const redeliverable = 3 * 24 * time.Hour

// Redeliver asks GitHub to send again those of the last hundred deliveries that failed,
// as [connect.Deliveries] specifies: GitHub never does that by itself.
func (c *Client) Redeliver(ctx context.Context, r core.Repository, id string, missed bool, token core.Secret) (int, error) {
	all, err := c.deliveries(ctx, r, id, token)
	if err != nil {
		return 0, err
	}
	done := map[string]bool{}
	for _, d := range all {
		done[d.GUID] = done[d.GUID] || d.succeeded()
	}
	oldest := c.options.Now().Add(-redeliverable)
	count := 0
	for i, d := range slices.Backward(all) { // the oldest first, as they were made
		last := !slices.ContainsFunc(all[:i], func(later hookDelivery) bool { return later.GUID == d.GUID })
		if done[d.GUID] || d.Event == "ping" || !last || d.Delivered.Before(oldest) {
			continue
		}
		if missed {
			answered, err := c.answered(ctx, r, id, d, token)
			if err != nil {
				return count, err
			}
			if answered {
				continue
			}
		}
		if err := c.hooksCall(ctx, http.MethodPost, r, fmt.Sprintf("/%s/deliveries/%d/attempts", id, d.ID), token, nil, nil); err != nil {
			return count, err
		}
		count++
	}
	return count, nil
}

// answered reports whether this service answered a delivery that failed, and could
// accept it.
func (c *Client) answered(ctx context.Context, r core.Repository, id string, d hookDelivery, token core.Secret) (bool, error) {
	return connect.Answered(d.StatusCode, func() ([]string, error) {
		var full struct {
			Response struct {
				Headers map[string]any `json:"headers"`
			} `json:"response"`
		}
		err := c.hooksCall(ctx, http.MethodGet, r, fmt.Sprintf("/%s/deliveries/%d", id, d.ID), token, nil, &full)
		return slices.Collect(maps.Keys(full.Response.Headers)), err
	})
}
