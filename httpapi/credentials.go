package httpapi

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi/internal/login"
)

// travisToken is what Travis CI sent as the whole Authorization header until
// November 2016: the SHA-256, in hex, of the slug and a token of Travis' own
// (travis-ci/travis-tasks, lib/travis/addons/webhook/task.rb). It
// is not used for authentication and does not count as an attempt.
var travisToken = regexp.MustCompile(`^[0-9A-Fa-f]{8,128}$`)

var errMalformed = errors.New("the Authorization header is not of the form of RFC 7617")

// credentials returns the credentials of Basic authentication (RFC 7617), nil if
// there are none.
func credentials(h http.Header) (*core.Credentials, error) {
	if len(h.Values("Authorization")) > 1 {
		return nil, errMalformed // a proxy in front may have checked another one
	}
	header := strings.TrimSpace(h.Get("Authorization"))
	if header == "" || travisToken.MatchString(header) {
		return nil, nil
	}
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return nil, errMalformed
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return nil, errMalformed
	}
	user, password, found := strings.Cut(string(decoded), ":")
	if !found || user == "" || !utf8.Valid(decoded) || strings.ContainsFunc(string(decoded), isControl) {
		return nil, errMalformed
	}
	return &core.Credentials{Username: user, Password: core.NewSecret(password)}, nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// authorize returns the user that the path names, if the caller is that user.
func (a *API) authorize(c *gin.Context) (user string, err error) {
	account, err := a.authorizeAccount(c)
	return account.Username, err
}

// authorizeAccount is authorize with the account.
func (a *API) authorizeAccount(c *gin.Context) (account core.Account, err error) {
	sent, err := credentials(c.Request.Header)
	if err != nil {
		return core.Account{}, core.NewError(core.CodeUnauthorized, "", err)
	}
	if err := a.cross.Check(c.Request); err != nil { // a browser may have remembered the credentials
		return core.Account{}, core.NewError(core.CodeHTTPCrossOrigin, "", err)
	}
	err = a.throttled(c, sent, func() error {
		account, err = a.o.Auth.Authorize(c.Request.Context(), sent, c.Param("user"))
		return err
	})
	if err != nil {
		return core.Account{}, err
	}
	c.Set(keyUser, account.Username)
	return account, nil
}

// throttled calls authenticate, which verifies the credentials, unless there
// were too many wrong ones from that address or for that user.
func (a *API) throttled(c *gin.Context, sent *core.Credentials, authenticate func() error) error {
	if sent == nil {
		return authenticate()
	}
	return login.Throttled(c.Request.Context(), a.o.Logins, a.o.Proxies.ThrottleAddr(c.Request), *sent, func(context.Context) error { return authenticate() })
}
