package dashboard

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/auth"
)

// connectPage is what the pages for connecting a repository show.
type connectPage struct {
	Secrets []auth.WebhookSecret
	Forges  []auth.Forge
	Paired  string // what was paired; "" if nothing

	URL    string // of the webhook
	Secret string // made just now; "" before that
}

// connect shows how to connect a repository.
func (d *Dashboard) connect(w http.ResponseWriter, r *http.Request) error {
	return d.renderConnect(w, r, connectPage{Paired: r.URL.Query().Get("paired")})
}

func (d *Dashboard) renderConnect(w http.ResponseWriter, r *http.Request, p connectPage) error {
	var err error
	if p.Secrets, err = d.o.Auth.WebhookSecrets(r.Context(), visitOf(r).user); err != nil {
		return err
	}
	p.Forges = d.o.Auth.Forges()
	if !slices.ContainsFunc(p.Forges, func(f auth.Forge) bool { return f.Host == p.Paired }) {
		p.Paired = ""
	}
	return d.render(w, r, http.StatusOK, "connect", "Connect a repository", p)
}

// addSecret makes a webhook secret, which is shown this once.
func (d *Dashboard) addSecret(w http.ResponseWriter, r *http.Request) error {
	user, name := visitOf(r).user, strings.TrimSpace(r.PostFormValue("name"))
	target := core.Target{Branch: strings.TrimSpace(r.PostFormValue("branch")), App: strings.TrimSpace(r.PostFormValue("app"))}
	added := auth.WebhookSecret{Name: name}
	if !target.IsZero() {
		added.Target = &target
	}
	secret, err := d.o.Auth.AddWebhookSecret(r.Context(), user, added, false)
	if err != nil {
		return err
	}
	d.log(w, r, "added webhook secret", "name", name)
	query := url.Values{"user": {user}}
	for parameter, value := range target.Parameters() {
		query.Set(parameter, value)
	}
	return d.renderConnect(w, r, connectPage{URL: d.base(r) + "/1/deploy?" + query.Encode(), Secret: secret.Reveal()})
}

// pair keeps an access token for a forge.
func (d *Dashboard) pair(w http.ResponseWriter, r *http.Request) error {
	host := r.PostFormValue("forge")
	forges := d.o.Auth.Forges()
	i := slices.IndexFunc(forges, func(f auth.Forge) bool { return f.Host == host })
	if i < 0 {
		return core.NewError(core.CodeAuthForgeUnknown, "", nil)
	}
	_, err := d.o.Auth.Pair(r.Context(), visitOf(r).user, auth.Pair{
		Kind: forges[i].Kind, Host: host,
		Credentials: core.NewSecret(strings.TrimSpace(r.PostFormValue("login")) + ":" + strings.TrimSpace(r.PostFormValue("access"))),
	})
	if err != nil {
		return err
	}
	d.log(w, r, "paired", "forge", host)
	return redirect(w, r, "/-/connect?paired="+url.QueryEscape(host))
}
