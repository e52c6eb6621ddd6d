package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
)

// The methods below change a user's account. The service allows it only if user is the
// client's user.

// UpdateUser changes the password and the mail address of a user, each unless it is
// empty. It needs the password, as what changes API tokens does.
func (c *Client) UpdateUser(ctx context.Context, user string, password core.Secret, email string) error {
	body := map[string]any{}
	if !password.IsZero() {
		body["password"] = password.Reveal()
	}
	if email != "" {
		body["email"] = email
	}
	return c.account(ctx, http.MethodPut, user, nil, body, nil)
}

// APITokens returns the names of a user's API tokens.
func (c *Client) APITokens(ctx context.Context, user string) ([]string, error) {
	var tokens []struct{ Name string }
	err := c.account(ctx, http.MethodGet, user, []string{"tokens"}, nil, &tokens)
	var names []string
	for _, t := range tokens {
		names = append(names, t.Name)
	}
	return names, err
}

// AddAPIToken makes an API token. It replaces one of that name only if replace is set.
func (c *Client) AddAPIToken(ctx context.Context, user, name string, replace bool) (core.Secret, error) {
	var made struct{ Token core.Secret }
	err := c.account(ctx, http.MethodPost, user, []string{"tokens"}, map[string]any{"name": name, "replace": replace}, &made)
	return made.Token, err
}

// RemoveAPIToken removes an API token.
func (c *Client) RemoveAPIToken(ctx context.Context, user, name string) error {
	return c.account(ctx, http.MethodDelete, user, []string{"tokens", name}, nil, nil)
}

// WebhookSecrets returns a user's webhook secrets, without the secrets.
func (c *Client) WebhookSecrets(ctx context.Context, user string) (secrets []auth.WebhookSecret, err error) {
	return secrets, c.account(ctx, http.MethodGet, user, []string{"secrets"}, nil, &secrets)
}

// AddWebhookSecret makes a webhook secret. It replaces one of that name only if replace
// is set.
func (c *Client) AddWebhookSecret(ctx context.Context, user string, w auth.WebhookSecret, replace bool) (core.Secret, error) {
	var made struct{ Secret core.Secret }
	err := c.account(ctx, http.MethodPost, user, []string{"secrets"}, struct {
		auth.WebhookSecret

		Replace bool `json:"replace"`
	}{w, replace}, &made)
	return made.Secret, err
}

// ChangeSecret changes what the deliveries of a webhook secret deploy; nil is what the
// next one says.
func (c *Client) ChangeSecret(ctx context.Context, user, name string, t *core.Target) error {
	return c.account(ctx, http.MethodPut, user, []string{"secrets", name}, map[string]any{"target": t}, nil)
}

// RemoveSecret removes a webhook secret.
func (c *Client) RemoveSecret(ctx context.Context, user, name string) error {
	return c.account(ctx, http.MethodDelete, user, []string{"secrets", name}, nil, nil)
}

// Notifications returns the chat services that are notified, without their addresses.
func (c *Client) Notifications(ctx context.Context, user string) (all []auth.Notification, err error) {
	return all, c.account(ctx, http.MethodGet, user, []string{"notifications"}, nil, &all)
}

// AddNotification adds a chat service that is notified. It replaces one of that name
// only if replace is set.
func (c *Client) AddNotification(ctx context.Context, user string, n auth.Notification, address core.Secret, replace bool) error {
	return c.account(ctx, http.MethodPost, user, []string{"notifications"}, struct {
		auth.Notification

		Address string `json:"address"`
		Replace bool   `json:"replace"`
	}{n, address.Reveal(), replace}, nil)
}

// TestNotification sends a message to a chat service.
func (c *Client) TestNotification(ctx context.Context, user, name string) error {
	return c.account(ctx, http.MethodPost, user, []string{"notifications", name, "test"}, nil, nil)
}

// RemoveNotification removes a chat service that is notified.
func (c *Client) RemoveNotification(ctx context.Context, user, name string) error {
	return c.account(ctx, http.MethodDelete, user, []string{"notifications", name}, nil, nil)
}

// account sends a request about a user's account, without a body if that is nil, and
// decodes the answer unless that is nil.
func (c *Client) account(ctx context.Context, method, user string, path []string, body, answer any) error {
	parts := []string{"/1/users", url.PathEscape(user)}
	for _, part := range path {
		parts = append(parts, url.PathEscape(part))
	}
	header := http.Header{}
	var text []byte
	if body != nil {
		header.Set("Content-Type", "application/json")
		var err error
		if text, err = json.Marshal(body); err != nil {
			return fmt.Errorf("client: %w", err)
		}
	}
	if answer == nil {
		answer = &struct{}{}
	}
	_, err := c.call(ctx, method, strings.Join(parts, "/"), nil, header, text, answer)
	return err
}
