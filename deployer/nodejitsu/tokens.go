package nodejitsu

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/nodejitsu/webhooks/core"
)

// Token is an API token as the platform lists it.
type Token struct {
	Name   string
	Masked string // the part that the platform shows, such as "9f3c…"
}

// Tokens returns a user's API tokens by name.
func (c *Client) Tokens(ctx context.Context, user string) ([]Token, error) {
	var answer struct {
		Tokens map[string]string `json:"apiTokens"`
	}
	if err := c.call(ctx, request{doing: "list tokens", method: http.MethodGet, path: []string{"users", user, "tokens"}}, &answer); err != nil {
		return nil, err
	}
	tokens := make([]Token, 0, len(answer.Tokens))
	for _, name := range slices.Sorted(maps.Keys(answer.Tokens)) {
		tokens = append(tokens, Token{Name: name, Masked: answer.Tokens[name]})
	}
	return tokens, nil
}

// CreateToken creates an API token, and replaces one of the same name. The token
// can't be read again.
func (c *Client) CreateToken(ctx context.Context, user, name string) (core.Secret, error) {
	var answer map[string]json.RawMessage
	err := c.call(ctx, request{doing: "create token", method: http.MethodPut, path: []string{"users", user, "tokens", name}}, &answer)
	if err != nil {
		return core.Secret{}, err
	}
	var token string
	if json.Unmarshal(answer[name], &token) != nil || token == "" {
		return core.Secret{}, fmt.Errorf("nodejitsu: create token: the response has no token named %q", name)
	}
	return core.NewSecret(token), nil
}

// DestroyToken removes an API token.
func (c *Client) DestroyToken(ctx context.Context, user, name string) error {
	return c.call(ctx, request{doing: "destroy token", method: http.MethodDelete, path: []string{"users", user, "tokens", name}}, nil)
}
