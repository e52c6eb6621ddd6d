package httpapi

import (
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/connect"
)

// connectBody is the answer to a connection.
type connectBody struct {
	OK      bool     `json:"ok"`
	URL     string   `json:"url"`
	ID      string   `json:"id"`
	Created bool     `json:"created"`
	Secret  string   `json:"secret,omitempty"`
	Events  []string `json:"events,omitempty"`
	Tested  bool     `json:"tested"`
	Status  int      `json:"status"` // of our answer to the test
	Own     bool     `json:"own_test"`
	OwnCode int      `json:"own_status"` // of our answer to the test from here
	Again   int      `json:"again"`
}

// connect makes the webhook of a repository with the caller's access token for the
// forge.
func (a *API) connect(c *gin.Context) error {
	user, err := a.authenticate(c)
	if err != nil {
		return err
	}
	query, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return invalid(core.CodeConnectParams, "the query string", "pairs of the form name=value, percent-encoded")
	}
	target, err := core.NewTarget(query.Get)
	if err != nil {
		return core.Errorf(core.CodeConnectParams, "A parameter of the request is invalid: %v", err)
	}
	result, err := a.o.Connect.Connect(c.Request.Context(), user, connect.Request{
		Kind: c.Param("forge"), Host: query.Get("forge"), Repository: query.Get("repository"),
		Target: target, Base: a.base(c), Check: query.Get("check") == "true",
	})
	if err != nil {
		return err
	}
	writeJSON(c, http.StatusOK, connectBody{
		true, result.URL, result.ID, result.Created, result.Secret, result.Events, result.Tested, result.Status,
		result.OwnTest, result.OwnStatus, result.Again,
	})
	return nil
}

// authenticate returns the name of the caller.
func (a *API) authenticate(c *gin.Context) (string, error) {
	sent, err := credentials(c.Request.Header)
	if err != nil {
		return "", core.NewError(core.CodeUnauthorized, "", err)
	}
	var account core.Account
	err = a.throttled(c, sent, func() error {
		account, err = a.o.Auth.Authenticate(c.Request.Context(), sent)
		return err
	})
	if err != nil {
		return "", err
	}
	c.Set(keyUser, account.Username)
	return account.Username, nil
}
