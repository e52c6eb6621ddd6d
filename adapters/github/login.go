package github

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/redact"
)

// Login returns the user of a token and its scopes, as [auth.Login] specifies.
// The scopes are those of the header X-OAuth-Scopes. GitHub sends it for classic
// tokens only; scopes is nil for others.
func (c *Client) Login(ctx context.Context, token core.Secret) (login string, scopes []string, err error) {
	defer func() { err = redact.New(token).Error(err) }()
	const doing = "read the user of a token"
	if token.IsZero() {
		return "", nil, fmt.Errorf("github: %s: no token is given: %w", doing, core.ErrUnauthorized)
	}
	client, err := c.api(token, maxFile)
	if err != nil {
		return "", nil, err
	}
	bounded, cancel := withCallTimeout(ctx)
	defer cancel()
	user, resp, err := client.Users.Get(bounded, "")
	if err != nil {
		return "", nil, c.failure(ctx, doing, resp, err)
	}
	if user.GetLogin() == "" {
		return "", nil, broken(ctx, doing, errors.New("the answer has no login"))
	}
	if values := resp.Header.Values("X-OAuth-Scopes"); len(values) > 0 {
		scopes = []string{}
		for scope := range strings.SplitSeq(strings.Join(values, ","), ",") {
			if scope = strings.TrimSpace(scope); scope != "" {
				scopes = append(scopes, scope)
			}
		}
	}
	return user.GetLogin(), scopes, nil
}
