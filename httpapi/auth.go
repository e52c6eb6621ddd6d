package httpapi

import (
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
)

// maxSmallBody is the limit of a body that is no payload, in bytes.
const maxSmallBody = 64 << 10

// pairGitHub keeps the caller's access token for GitHub.
func (a *API) pairGitHub(c *gin.Context) error {
	given, err := credentials(c.Request.Header)
	if err != nil {
		return core.NewError(core.CodeUnauthorized, "", err)
	}
	var account core.Account
	err = a.judged(c, given, func() error {
		account, err = a.o.Auth.Authenticate(c.Request.Context(), given)
		return err
	})
	if err != nil {
		return err
	}
	c.Set(keyUser, account.Username)
	query, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return invalid(core.CodeAuthParams, "the query string", "pairs of the form name=value, percent-encoded")
	}
	body, err := readBody(c, maxSmallBody)
	if err != nil {
		return err
	}
	login, err := pairCredentials(body)
	if err != nil {
		return err
	}
	pairing, err := a.o.Auth.PairGitHub(c.Request.Context(), account.Username, login, query.Get("app"))
	if err != nil {
		return err
	}
	scopes := pairing.Scopes
	if scopes == nil {
		scopes = []string{}
	}
	writeJSON(c, http.StatusOK, struct {
		OK       bool     `json:"ok"`
		Provider string   `json:"provider"`
		Login    string   `json:"login"`
		Scopes   []string `json:"scopes"`
		App      string   `json:"app"`
	}{true, string(core.ProviderGitHub), pairing.Login, scopes, pairing.App})
	return nil
}

// pairCredentials reads {"credentials":"githubUser:token"}; "" where there
// are none in it. Errors of the JSON decoder are not passed on, as they may
// repeat what they stumbled over.
func pairCredentials(body []byte) (core.Secret, error) {
	var request struct {
		Credentials json.RawMessage `json:"credentials"`
	}
	if len(body) == 0 {
		return "", nil
	}
	const form = `; send {"credentials":"githubUser:token"}`
	if json.Unmarshal(body, &request) != nil {
		return "", core.NewError(core.CodeBadCredentials, "The body is not a JSON object"+form, nil)
	}
	if len(request.Credentials) == 0 || string(request.Credentials) == "null" {
		return "", nil
	}
	var text string
	if json.Unmarshal(request.Credentials, &text) != nil {
		return "", core.NewError(core.CodeBadCredentials, "The credentials are not a string"+form, nil)
	}
	return core.Secret(text), nil
}
