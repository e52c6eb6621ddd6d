// Package dashboard is the part of the service that people use with a browser:
// what runs, deployments as they happen, and what became of each delivery.
//
// Pages are rendered by the server and readable without JavaScript. A small script
// listens to the feed of changes and loads the parts of the page again that a
// change may concern.
package dashboard

import (
	"crypto/hkdf"
	"crypto/sha256"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi/serve"
	"github.com/nodejitsu/webhooks/httpapi/serve/throttle"
)

// Prefix begins the path of every page but the first, which is "/". No user can
// have a name that begins with it.
const Prefix = "/-/"

// PathFeed is the path of the signed-in user's feed of changes, which the API serves.
const PathFeed = Prefix + "feed"

// Options are what [New] takes. The ports, Key and Logins are required.
type Options struct {
	Status Status
	Deploy Deploy
	Auth   Auth
	Apps   Apps

	// Key returns the secret that sessions are sealed with. Servers that share it
	// accept each other's sessions.
	Key func() core.Secret
	// Logins throttles clients that guess passwords.
	Logins *throttle.Throttle
	// Answer returns what the sender of an entry's delivery was answered, for a
	// person; "" if that is not known. It may be nil.
	Answer  func(change core.Change, base string) (string, error)
	Proxies serve.Proxies
	BaseURL string // scheme and host of links; "": those of the request

	// Warnings returns what an operator should look at, a sentence each, such as a
	// disk that is nearly full. It may be nil.
	Warnings func() []string

	Now    func() time.Time // time.Now
	Logger *slog.Logger     // discards
}

// Dashboard serves the pages. It may be used concurrently.
type Dashboard struct {
	o     Options
	mux   *http.ServeMux
	cross *http.CrossOriginProtection
	pages map[string]*template.Template
}

// New returns a Dashboard.
func New(o Options) *Dashboard {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.BaseURL = strings.TrimSuffix(o.BaseURL, "/")
	d := &Dashboard{o: o, mux: http.NewServeMux(), cross: http.NewCrossOriginProtection(), pages: parsePages()}
	if o.BaseURL != "" {
		// A proxy in front may send another Host than the browser used. An invalid
		// URL is reported by the API, which has the same setting.
		_ = d.cross.AddTrustedOrigin(o.BaseURL)
	}
	d.routes()
	return d
}

func (d *Dashboard) routes() {
	d.mux.HandleFunc("GET /-/static/{file}", d.static)
	d.mux.HandleFunc("GET /-/sign-in", d.page(d.showSignIn))
	d.mux.HandleFunc("POST /-/sign-in", d.page(d.signIn))
	d.mux.HandleFunc("POST /-/sign-out", d.page(d.signOut))

	d.mux.HandleFunc("GET /{$}", d.signedIn(d.home))
	d.mux.HandleFunc("GET /-/history", d.signedIn(d.history))
	d.mux.HandleFunc("GET /-/held", d.signedIn(d.held))
	d.mux.HandleFunc("GET /-/entries/{id}", d.signedIn(d.entry))
	d.mux.HandleFunc("POST /-/entries/{id}/{action}", d.signedIn(d.changeEntry))
	d.mux.HandleFunc("GET /-/apps/{app}", d.signedIn(d.app))
	d.mux.HandleFunc("GET /-/apps/{app}/log", d.signedIn(d.appLog))
	d.mux.HandleFunc("POST /-/apps/{app}/{action}", d.signedIn(d.changeApp))
	d.mux.HandleFunc("GET /-/connect", d.signedIn(d.connect))
	d.mux.HandleFunc("POST /-/connect/secret", d.signedIn(d.addSecret))
	d.mux.HandleFunc("POST /-/connect/pair", d.signedIn(d.pair))
	d.mux.HandleFunc("GET "+accountPath, d.signedIn(d.account))
	d.mux.HandleFunc("POST "+accountPath+"/tokens", d.signedIn(d.addToken))
	d.mux.HandleFunc("POST "+accountPath+"/tokens/remove", d.signedIn(d.removeToken))
	d.mux.HandleFunc("POST "+accountPath+"/secrets/remove", d.signedIn(d.removeSecret))
	d.mux.HandleFunc("/", d.page(func(http.ResponseWriter, *http.Request) error { return errNotFound() }))
}

// policy is the Content-Security-Policy of the pages.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ServeHTTP serves a page.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	serve.SecureHeaders(w.Header(), policy, d.secure(r))
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	d.mux.ServeHTTP(w, r)
}

// maxForm is the size of the largest form, in bytes.
const maxForm = 64 << 10

// handler serves a page, or returns an error to show.
type handler func(w http.ResponseWriter, r *http.Request) error

// page returns h as a handler of net/http.
func (d *Dashboard) page(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			d.showError(w, r, err)
		}
	}
}

// secure reports whether the client uses TLS.
func (d *Dashboard) secure(r *http.Request) bool { return d.o.Proxies.Client(r).Secure }

// base returns the scheme and host of links.
func (d *Dashboard) base(r *http.Request) string {
	if d.o.BaseURL != "" {
		return d.o.BaseURL
	}
	return d.o.Proxies.BaseURL(r)
}

// key returns a key that is derived from the secret for one purpose.
func (d *Dashboard) key(purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, []byte(d.o.Key().Reveal()), nil, "webhooks dashboard "+purpose, sha256.Size)
}
