package nodejitsu

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/nodejitsu/webhooks/core"
)

// thirdPartyWire is a core.ThirdPartyToken in the API. The hosted platform had id,
// provider and token; the other fields are extensions.
type thirdPartyWire struct {
	ID       string        `json:"id"`
	Provider string        `json:"provider"`
	Forge    string        `json:"forge,omitempty"`
	App      string        `json:"app,omitempty"`
	Login    string        `json:"login,omitempty"`
	Scopes   []string      `json:"scopes,omitempty"`
	Token    string        `json:"token"`
	Required bool          `json:"required,omitempty"`
	Target   *core.Target  `json:"target,omitempty"`
	Webhook  *core.Webhook `json:"webhook,omitempty"`
}

// ThirdPartyTokens returns a user's third-party tokens. [core.ServiceUser] gets
// them in full; other callers may get them masked.
func (c *Client) ThirdPartyTokens(ctx context.Context, user string) ([]core.ThirdPartyToken, error) {
	var answer json.RawMessage
	if err := c.call(ctx, request{doing: "list third-party tokens", method: http.MethodGet, path: []string{"users", user, "thirdparty"}}, &answer); err != nil {
		return nil, err
	}
	list, err := thirdPartyList(answer)
	if err != nil {
		return nil, fmt.Errorf("nodejitsu: list third-party tokens: %w", err)
	}
	tokens := make([]core.ThirdPartyToken, 0, len(list))
	for _, w := range list {
		t := core.ThirdPartyToken{
			ID: w.ID, Provider: w.Provider, Forge: w.Forge, App: w.App, Login: w.Login,
			Scopes: w.Scopes, Token: core.NewSecret(w.Token), Required: w.Required, Target: w.Target, Webhook: w.Webhook,
		}
		if t.App == "" {
			t.App = core.AnyApp
		}
		tokens = append(tokens, t)
	}
	return tokens, nil
}

// thirdPartyList reads the list, bare or in the field thirdPartyTokens.
func thirdPartyList(answer json.RawMessage) ([]thirdPartyWire, error) {
	var list []thirdPartyWire
	if json.Unmarshal(answer, &list) == nil {
		return list, nil
	}
	var wrapped struct {
		Tokens []thirdPartyWire `json:"thirdPartyTokens"`
	}
	err := json.Unmarshal(answer, &wrapped)
	return wrapped.Tokens, err
}

// SetThirdPartyToken stores t for user, and replaces one with the same ID.
func (c *Client) SetThirdPartyToken(ctx context.Context, user string, t core.ThirdPartyToken) error {
	body := thirdPartyWire{
		ID: t.ID, Provider: t.Provider, Forge: t.Forge, App: t.App, Login: t.Login,
		Scopes: t.Scopes, Token: t.Token.Reveal(), Required: t.Required, Target: t.Target, Webhook: t.Webhook,
	}
	return c.call(ctx, request{doing: "store third-party token", method: http.MethodPost, path: []string{"users", user, "thirdparty"}, body: body}, nil)
}

// DestroyThirdPartyToken removes the one with that ID.
func (c *Client) DestroyThirdPartyToken(ctx context.Context, user, id string) error {
	return c.call(ctx, request{doing: "destroy third-party token", method: http.MethodDelete, path: []string{"users", user, "thirdparty", id}}, nil)
}
