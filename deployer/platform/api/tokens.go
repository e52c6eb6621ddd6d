package api

import (
	"net/http"

	"github.com/nodejitsu/webhooks/core"
)

func (a *API) listTokens(c *call) error {
	tokens, err := a.o.Accounts.Tokens(c.user)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, map[string]any{"apiTokens": tokens})
}

// createToken answers with the token, which can't be read again.
func (a *API) createToken(c *call) error {
	name, token, replaced, err := a.o.Accounts.CreateToken(c.user, c.r.PathValue("token"))
	if err != nil {
		return err
	}
	operation := "insert"
	if replaced {
		operation = "update"
	}
	return c.answer(http.StatusCreated, map[string]string{"operation": operation, name: token.Reveal()})
}

func (a *API) destroyToken(c *call) error {
	name := c.r.PathValue("token")
	if err := a.o.Accounts.DestroyToken(c.user, name); err != nil {
		return err
	}
	return c.answer(http.StatusOK, map[string]any{"ok": true, "id": name})
}

// thirdParty is a third-party token in the API. The hosted platform had id,
// provider and token; the other fields are extensions.
type thirdParty struct {
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

// listThirdParty returns the tokens themselves only to the service user, who
// needs them to deploy.
func (a *API) listThirdParty(c *call) error {
	tokens, err := a.o.Accounts.ThirdParty(c.user)
	if err != nil {
		return err
	}
	list := make([]thirdParty, 0, len(tokens))
	for _, t := range tokens {
		token := t.Token.String()
		if c.who.Service {
			token = t.Token.Reveal()
		}
		list = append(list, thirdParty{t.ID, t.Provider, t.Forge, t.App, t.Login, t.Scopes, token, t.Required, t.Target, t.Webhook})
	}
	return c.answer(http.StatusOK, list)
}

func (a *API) setThirdParty(c *call) error {
	var given thirdParty
	if err := c.read(&given); err != nil {
		return err
	}
	t := core.ThirdPartyToken{
		ID: given.ID, Provider: given.Provider, Forge: given.Forge, App: given.App, Login: given.Login,
		Scopes: given.Scopes, Token: core.NewSecret(given.Token), Required: given.Required, Target: given.Target, Webhook: given.Webhook,
	}
	if err := a.o.Accounts.SetThirdParty(c.user, t); err != nil {
		return err
	}
	return c.answer(http.StatusCreated, map[string]any{"ok": true, "id": given.ID})
}

func (a *API) destroyThirdParty(c *call) error {
	id := c.r.PathValue("id")
	if err := a.o.Accounts.DestroyThirdParty(c.user, id); err != nil {
		return err
	}
	return c.answer(http.StatusOK, map[string]any{"ok": true, "id": id})
}
