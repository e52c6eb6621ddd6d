package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
)

// maxSmallBody is the limit of a body that is not a payload, in bytes.
const maxSmallBody = 64 << 10

// pair keeps the caller's access token for a forge.
func (a *API) pair(c *gin.Context) error {
	user, err := a.authenticate(c)
	if err != nil {
		return err
	}
	query, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return invalid(core.CodeAuthParams, "the query string", "pairs of the form name=value, percent-encoded")
	}
	body, release, err := a.readBody(c, maxSmallBody)
	defer release()
	if err != nil {
		return err
	}
	login, err := pairCredentials(body)
	if err != nil {
		return err
	}
	pairing, err := a.o.Auth.Pair(c.Request.Context(), user, auth.Pair{
		Kind: c.Param("forge"), Host: query.Get("forge"), Credentials: login, App: query.Get("app"),
	})
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
	}{true, pairing.Kind, pairing.Login, scopes, pairing.App})
	return nil
}

// pairCredentials reads {"credentials":"login:token"}; it returns no secret
// if the field is missing. The field may be there once, by its exact name, and
// its value is not repaired: a text that could mean two things is refused. Errors
// of the JSON decoder are not passed on, as they may repeat parts of the text.
func pairCredentials(body []byte) (core.Secret, error) {
	if len(body) == 0 {
		return core.Secret{}, nil
	}
	const form = `; send {"credentials":"login:token"}`
	found, ok := fieldsOf(body, "credentials")
	if !ok {
		return core.Secret{}, core.NewError(core.CodeBadCredentials, "The body is not a JSON object"+form, nil)
	}
	if len(found) > 1 {
		return core.Secret{}, core.NewError(core.CodeBadCredentials, "The credentials come twice"+form, nil)
	}
	if len(found) == 0 || string(found[0]) == "null" {
		return core.Secret{}, nil
	}
	var text string
	if json.Unmarshal(found[0], &text) != nil {
		return core.Secret{}, core.NewError(core.CodeBadCredentials, "The credentials are not a string"+form, nil)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return isControl(r) || r == utf8.RuneError }) {
		return core.Secret{}, core.NewError(core.CodeBadCredentials, "The credentials have control characters or are not UTF-8"+form, nil)
	}
	return core.NewSecret(text), nil
}

// fieldsOf returns the values that an object has for a key, in order; ok is false
// if text is not a JSON object, or not UTF-8.
func fieldsOf(text []byte, key string) (values []json.RawMessage, ok bool) {
	if !utf8.Valid(text) || !json.Valid(text) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return nil, false
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, false
		}
		if name == key {
			values = append(values, value)
		}
	}
	return values, true
}
