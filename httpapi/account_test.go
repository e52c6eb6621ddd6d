package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/coretest"
	"github.com/nodejitsu/webhooks/httpapi"
)

// anyMessenger accepts every address.
type anyMessenger struct{}

func (anyMessenger) Check(core.Secret) error { return nil }

func (anyMessenger) Send(context.Context, core.Secret, string, string) error { return nil }

// A user manages the own account over HTTP. Each credential is shown once, and an API
// token changes neither the password nor the tokens.
func TestAccount(t *testing.T) {
	t.Parallel()
	accounts := coretest.NewAccounts()
	accounts.AddUser("dscape", core.NewSecret(secret))
	accounts.AddUser("indexzero", core.NewSecret(secret))
	api := newAPI(t, func(o *httpapi.Options) {
		o.Auth = auth.New(auth.Options{Accounts: accounts, Messenger: anyMessenger{}})
	})
	var answer struct {
		Token, Secret, Name, Reason string
		Error                       core.Code
	}
	call := func(who, method, path, body string, status int) string {
		t.Helper()
		w := serve(api, request(t, method, path, body, who))
		if w.Code != status {
			t.Errorf("%s %s %s: got %d %s, want %d", method, path, body, w.Code, w.Body, status)
		}
		answer.Error = ""
		_ = json.Unmarshal(w.Body.Bytes(), &answer) // a list is read as text
		return w.Body.String()
	}
	me := as("dscape")

	call(me, "POST", "/1/users/dscape/tokens", `{"name":"ci"}`, http.StatusCreated)
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth("dscape", answer.Token)
	token, text := "Authorization: "+r.Header.Get("Authorization"), answer.Token
	if text == "" {
		t.Fatal("no token")
	}
	call(me, "POST", "/1/users/dscape/tokens", `{"name":"ci"}`, http.StatusConflict)
	if list := call(token, "GET", "/1/users/dscape/tokens/", "", http.StatusOK); list != `[{"name":"ci"}]`+"\n" {
		t.Errorf("listed %s", list)
	}
	for _, refused := range [][3]string{
		{"POST", "/1/users/dscape/tokens", `{"name":"more"}`}, {"DELETE", "/1/users/dscape/tokens/ci", ""}, {"PUT", "/1/users/dscape", `{"password":"another password"}`},
	} {
		call(token, refused[0], refused[1], refused[2], http.StatusForbidden)
		if answer.Error != core.CodePasswordRequired {
			t.Errorf("got %s", answer.Error)
		}
	}

	call(token, "POST", "/1/users/dscape/secrets", `{"name":"hook","required":true,"target":{"branch":"main"}}`, http.StatusCreated)
	made := answer.Secret
	list := call(token, "GET", "/1/users/dscape/secrets", "", http.StatusOK)
	if made == "" || list != `[{"name":"hook","required":true,"target":{"branch":"main"}}]`+"\n" {
		t.Errorf("made %q, listed %s", made, list)
	}
	call(token, "POST", "/1/users/dscape/secrets", `{"name":"hook"}`, http.StatusConflict)
	call(token, "PUT", "/1/users/dscape/secrets/hook", `{"target":null}`, http.StatusOK)
	call(token, "PUT", "/1/users/dscape/secrets/other", `{"target":null}`, http.StatusNotFound)
	if list := call(token, "GET", "/1/users/dscape/secrets", "", http.StatusOK); list != `[{"name":"hook","required":true}]`+"\n" {
		t.Errorf("changed to %s", list)
	}
	call(token, "DELETE", "/1/users/dscape/secrets/hook", "", http.StatusOK)

	const address = "ntfy+https://ntfy.sh/topic"
	if list := call(token, "POST", "/1/users/dscape/notifications", `{"name":"team","app":"*","on":"change","address":"`+address+`"}`, http.StatusCreated); strings.Contains(list, address) {
		t.Errorf("the address is shown: %s", list)
	}
	if list := call(token, "GET", "/1/users/dscape/notifications", "", http.StatusOK); list != `[{"name":"team","app":"*","on":"change"}]`+"\n" {
		t.Errorf("listed %s", list)
	}
	call(token, "POST", "/1/users/dscape/notifications/team/test", "", http.StatusOK)
	call(token, "DELETE", "/1/users/dscape/notifications/team", "", http.StatusOK)
	call(token, "DELETE", "/1/users/dscape/notifications/team", "", http.StatusNotFound)

	for _, body := range []string{"", "[]", `{"nam":"x"}`, `{"name":"x"}{}`, `{"name":"` + strings.Repeat("x", 65<<10) + `"}`} {
		w := serve(api, request(t, "POST", "/1/users/dscape/tokens", body, me))
		if w.Code != http.StatusBadRequest && w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("the body %.20s: got %d", body, w.Code)
		}
	}
	if w := serve(api, request(t, "POST", "/1/users/dscape/secrets", `{"name":"x"}`, me, "Sec-Fetch-Site: cross-site")); w.Code != http.StatusForbidden {
		t.Errorf("from another site: got %d", w.Code)
	}
	call(as("indexzero"), "GET", "/1/users/dscape/tokens", "", http.StatusUnauthorized)
	call(me, "DELETE", "/1/users/dscape/tokens/ci", "", http.StatusOK)
	call(token, "GET", "/1/users/dscape/tokens", "", http.StatusUnauthorized)
	call(me, "PUT", "/1/users/dscape", `{"password":"another password","email":"dscape@example.org"}`, http.StatusOK)
	call(me, "GET", "/1/users/dscape/tokens", "", http.StatusUnauthorized)
}
