package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
)

// The bodies of requests and responses about a user's own account. A credential is
// in the response that creates it and in no other.
type (
	userBody struct {
		Password core.Secret `json:"password,omitzero"`
		Email    string      `json:"email,omitempty"`
	}
	addBody struct {
		Name    string `json:"name"`
		Replace bool   `json:"replace,omitempty"` // the one of that name
	}
	tokenBody struct {
		Name  string `json:"name"`
		Token string `json:"token,omitempty"`
	}
	addSecretBody struct {
		auth.WebhookSecret

		Replace bool `json:"replace,omitempty"`
	}
	secretBody struct {
		auth.WebhookSecret

		Secret string `json:"secret,omitempty"`
	}
	targetBody struct {
		Target *core.Target `json:"target"` // null: what the next delivery says
	}
	addNotificationBody struct {
		auth.Notification

		Address core.Secret `json:"address"`
		Replace bool        `json:"replace,omitempty"`
	}
)

// updateUser changes the caller's password or mail address.
func (a *API) updateUser(c *gin.Context) error {
	user, err := a.authorizePassword(c)
	if err != nil {
		return err
	}
	var sent userBody
	if err := a.readJSON(c, &sent); err != nil {
		return err
	}
	return done(c, a.o.Auth.UpdateUser(c.Request.Context(), user, sent.Password, sent.Email))
}

func (a *API) listTokens(c *gin.Context) error {
	user, err := a.authorize(c)
	if err != nil {
		return err
	}
	names, err := a.o.Auth.APITokens(c.Request.Context(), user)
	if err != nil {
		return err
	}
	tokens := []tokenBody{}
	for _, name := range names {
		tokens = append(tokens, tokenBody{Name: name})
	}
	writeJSON(c, http.StatusOK, tokens)
	return nil
}

func (a *API) addToken(c *gin.Context) error {
	user, err := a.authorizePassword(c)
	if err != nil {
		return err
	}
	var sent addBody
	if err := a.readJSON(c, &sent); err != nil {
		return err
	}
	token, err := a.o.Auth.AddAPIToken(c.Request.Context(), user, sent.Name, sent.Replace)
	if err != nil {
		return err
	}
	created(c, tokenBody{sent.Name, token.Reveal()})
	return nil
}

func (a *API) removeToken(c *gin.Context) error {
	user, err := a.authorizePassword(c)
	if err != nil {
		return err
	}
	return done(c, a.o.Auth.RemoveAPIToken(c.Request.Context(), user, c.Param("name")))
}

func (a *API) listSecrets(c *gin.Context) error {
	user, err := a.authorize(c)
	if err != nil {
		return err
	}
	secrets, err := a.o.Auth.WebhookSecrets(c.Request.Context(), user)
	if err != nil {
		return err
	}
	writeJSON(c, http.StatusOK, secrets)
	return nil
}

func (a *API) addSecret(c *gin.Context) error {
	user, err := a.authorize(c)
	if err != nil {
		return err
	}
	var sent addSecretBody
	if err := a.readJSON(c, &sent); err != nil {
		return err
	}
	secret, err := a.o.Auth.AddWebhookSecret(c.Request.Context(), user, sent.WebhookSecret, sent.Replace)
	if err != nil {
		return err
	}
	created(c, secretBody{sent.WebhookSecret, secret.Reveal()})
	return nil
}

func (a *API) changeSecret(c *gin.Context) error {
	user, err := a.authorize(c)
	if err != nil {
		return err
	}
	var sent targetBody
	if err := a.readJSON(c, &sent); err != nil {
		return err
	}
	return done(c, a.o.Auth.ChangeSecret(c.Request.Context(), user, c.Param("name"), sent.Target))
}

func (a *API) removeSecret(c *gin.Context) error {
	user, err := a.authorize(c)
	if err != nil {
		return err
	}
	return done(c, a.o.Auth.RemoveSecret(c.Request.Context(), user, c.Param("name")))
}

func (a *API) listNotifications(c *gin.Context) error {
	user, err := a.authorize(c)
	if err != nil {
		return err
	}
	all, err := a.o.Auth.Notifications(c.Request.Context(), user)
	if err != nil {
		return err
	}
	writeJSON(c, http.StatusOK, all)
	return nil
}

func (a *API) addNotification(c *gin.Context) error {
	user, err := a.authorize(c)
	if err != nil {
		return err
	}
	var sent addNotificationBody
	if err := a.readJSON(c, &sent); err != nil {
		return err
	}
	if err := a.o.Auth.AddNotification(c.Request.Context(), user, sent.Notification, sent.Address, sent.Replace); err != nil {
		return err
	}
	created(c, sent.Notification)
	return nil
}

func (a *API) testNotification(c *gin.Context) error {
	user, err := a.authorize(c)
	if err != nil {
		return err
	}
	return done(c, a.o.Auth.TestNotification(c.Request.Context(), user, c.Param("name")))
}

func (a *API) removeNotification(c *gin.Context) error {
	user, err := a.authorize(c)
	if err != nil {
		return err
	}
	return done(c, a.o.Auth.RemoveNotification(c.Request.Context(), user, c.Param("name")))
}

// authorizePassword is authorize for what an API token may not do.
func (a *API) authorizePassword(c *gin.Context) (string, error) {
	account, err := a.authorizeAccount(c)
	if err == nil && account.Token {
		err = core.NewError(core.CodePasswordRequired, "", nil)
	}
	return account.Username, err
}

// readJSON decodes the body, which is one object without unknown fields. Errors do
// not repeat it: it may have credentials.
func (a *API) readJSON(c *gin.Context, into any) error {
	body, release, err := a.readBody(c, maxSmallBody)
	defer release()
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(into)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one value")
		}
	}
	if err != nil {
		return invalid(core.CodeAuthParams, "the body", "a JSON object as the documentation of this path has it")
	}
	return nil
}

// created responds with what was created. No cache may keep it.
func created(c *gin.Context, v any) {
	c.Header("Cache-Control", "no-store")
	writeJSON(c, http.StatusCreated, v)
}

// done responds to a change that returns no data, unless it failed.
func done(c *gin.Context, err error) error {
	if err == nil {
		writeJSON(c, http.StatusOK, okBody{OK: true})
	}
	return err
}
