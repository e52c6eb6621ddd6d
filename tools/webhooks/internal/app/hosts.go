package app

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// PlatformPath is below which the API's listener serves the platform's API, if it
// serves the apps too.
const PlatformPath = "/platform"

// addresses are those at which people reach the service and the apps.
type addresses struct {
	cfg    config.Config
	scheme string
	bound  atomic.Pointer[string] // address of the API's listener, once it listens
}

func newAddresses(cfg config.Config, c *Certificates) *addresses {
	return &addresses{cfg: cfg, scheme: c.scheme()}
}

// listens records the address of the API's listener, whose port may have been 0.
func (a *addresses) listens(addr string) { a.bound.Store(&addr) }

// appsURL returns a function with the URL of the apps' domain; nil if the
// platform's own listener determines it.
func (a *addresses) appsURL() func() string {
	switch {
	case a.cfg.AppsURL != "":
		return func() string { return strings.TrimSuffix(a.cfg.AppsURL, "/") }
	case a.cfg.SharesListener():
		return func() string {
			listen := a.cfg.Listen
			if bound := a.bound.Load(); bound != nil {
				listen = *bound
			}
			_, port, _ := net.SplitHostPort(listen) // checked, or a listener's own
			u := url.URL{Scheme: a.scheme, Host: a.cfg.AppsDomain}
			if port != map[string]string{"http": "80", "https": "443"}[a.scheme] {
				u.Host = net.JoinHostPort(u.Host, port)
			}
			return u.String()
		}
	}
	return nil
}

// byHost returns the handler of a listener that serves the API, the apps by their
// host names, and the platform's API below a path. A host that belongs to neither
// is the API's, so that it can be reached by address.
func byHost(cfg config.Config, api http.Handler, p embedded) http.Handler {
	apps, platform := p.AppsHandler(), http.StripPrefix(PlatformPath, p.APIHandler())
	own := cfg.ReservedHosts()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostOf(r)
		switch {
		case !slices.Contains(own, host) && (strings.HasSuffix(host, "."+cfg.AppsDomain) || p.Serves(host)):
			// The router has limits of its own. These would end long requests.
			control := http.NewResponseController(w)
			_ = control.SetReadDeadline(time.Time{})
			_ = control.SetWriteDeadline(time.Time{})
			apps.ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, PlatformPath+"/"):
			platform.ServeHTTP(w, r)
		default:
			api.ServeHTTP(w, r)
		}
	})
}

// hostOf returns the host of a request in lower case, without port and trailing
// dot.
func hostOf(r *http.Request) string {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// redirect sends browsers and senders to https.
func redirect(port string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostOf(r)
		if host == "" {
			http.Error(w, "The request has no Host header.", http.StatusBadRequest)
			return
		}
		if port != "443" {
			host = net.JoinHostPort(host, port)
		}
		u := url.URL{Scheme: "https", Host: host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
		http.Redirect(w, r, u.String(), http.StatusPermanentRedirect)
	})
}
