package dashboard

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
)

const accountPath = "/-/account"

// accountPage is what the page of the own account shows.
type accountPage struct {
	Done    string // what was done before; "" if nothing
	ByToken bool   // the session began with an API token, which can't change tokens
	Tokens  []string
	Secrets []auth.WebhookSecret

	Name, Token string // of an API token that was made just now
}

// account shows the API tokens and the webhook secrets of the user, without what is
// secret of them.
func (d *Dashboard) account(w http.ResponseWriter, r *http.Request) error {
	return d.renderAccount(w, r, accountPage{})
}

func (d *Dashboard) renderAccount(w http.ResponseWriter, r *http.Request, p accountPage) error {
	v := visitOf(r)
	p.ByToken = v.byToken
	switch r.URL.Query().Get("done") {
	case "token":
		p.Done = "The API token was removed."
	case "secret":
		p.Done = "The webhook secret was removed."
	}
	var err error
	if p.Tokens, err = d.o.Auth.APITokens(r.Context(), v.user); err != nil {
		return err
	}
	if p.Secrets, err = d.o.Auth.WebhookSecrets(r.Context(), v.user); err != nil {
		return err
	}
	return d.render(w, r, http.StatusOK, "account", "Account", p)
}

// addToken makes an API token, which is shown this once.
func (d *Dashboard) addToken(w http.ResponseWriter, r *http.Request) error {
	v, name := visitOf(r), strings.TrimSpace(r.PostFormValue("name"))
	if v.byToken {
		return core.NewError(core.CodePasswordRequired, "", nil)
	}
	token, err := d.o.Auth.AddAPIToken(r.Context(), v.user, name, false)
	if err != nil {
		return err
	}
	d.log(w, r, "added API token", "name", name)
	w.Header().Set("Cache-Control", "no-store")
	return d.renderAccount(w, r, accountPage{Name: name, Token: token.Reveal()})
}

// removeToken removes an API token.
func (d *Dashboard) removeToken(w http.ResponseWriter, r *http.Request) error {
	v, name := visitOf(r), r.PostFormValue("name")
	if v.byToken {
		return core.NewError(core.CodePasswordRequired, "", nil)
	}
	sure, err := d.confirmed(w, r, fmt.Sprintf("Remove the API token %s? What uses it is refused from then on.", name), "Remove the token", accountPath)
	if err != nil || !sure {
		return err
	}
	if err := d.o.Auth.RemoveAPIToken(r.Context(), v.user, name); err != nil {
		return err
	}
	d.log(w, r, "removed API token", "name", name)
	return redirect(w, r, accountPath+"?done=token")
}

// removeSecret removes a webhook secret.
func (d *Dashboard) removeSecret(w http.ResponseWriter, r *http.Request) error {
	name := r.PostFormValue("name")
	sure, err := d.confirmed(w, r, fmt.Sprintf("Remove the webhook secret %s? Deliveries that are signed with it are refused from then on.", name), "Remove the secret", accountPath)
	if err != nil || !sure {
		return err
	}
	if err := d.o.Auth.RemoveSecret(r.Context(), visitOf(r).user, name); err != nil {
		return err
	}
	d.log(w, r, "removed webhook secret", "name", name)
	return redirect(w, r, accountPath+"?done=secret")
}
