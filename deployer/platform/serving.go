package platform

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/processes"
	"github.com/nodejitsu/webhooks/httpapi/serve"
)

// The parts of the process's open files that connections may use: 1/8 for apps,
// as each needs a second connection to the app, and 1/16 for the API.
const (
	appsFileShare = 8
	apiFileShare  = 16
)

// listen binds the addresses.
func (p *Platform) listen(ctx context.Context) error {
	p.apiServer = serve.New(serve.Options{ //nolint:contextcheck // it serves as long as the platform runs
		Name: "platform-listen", Addr: p.o.Listen, Bind: p.o.Bind, MaxConns: p.o.MaxConnections, FileShare: apiFileShare,
		Trusted: p.o.Proxies, Untrusted: processes.IsApp,
		ReadTimeout: time.Minute, WriteTimeout: time.Minute, Fail: p.o.Fail, Logger: p.o.Logger,
	})
	if err := p.apiServer.Listen(ctx); err != nil || p.o.Shared {
		return err
	}
	p.appsServer = serve.New(serve.Options{ //nolint:contextcheck // the same
		Name: "apps-listen", Addr: p.o.AppsListen, Bind: p.o.Bind, TLS: p.o.TLS, MaxConns: p.o.MaxConnections, FileShare: appsFileShare,
		Trusted: p.o.Proxies, Untrusted: processes.IsApp, Fail: p.o.Fail, Logger: p.o.Logger,
	})
	if err := p.appsServer.Listen(ctx); err != nil {
		return err
	}
	p.appsAddr = p.appsServer.Addr()
	return nil
}

// URL returns the URL of the API; "" while the platform does not run.
func (p *Platform) URL() string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.apiServer == nil {
		return ""
	}
	return "http://" + p.apiServer.Reachable()
}

// AppsHandler serves the apps, by the host of a request. While the platform does
// not run, it responds with 503.
func (p *Platform) AppsHandler() http.Handler {
	return p.handler(func() http.Handler {
		if p.router == nil {
			return nil
		}
		return p.router
	})
}

// APIHandler serves the platform's API for another listener too. While the
// platform does not run, it responds with 503.
func (p *Platform) APIHandler() http.Handler {
	return p.handler(func() http.Handler {
		if p.api == nil {
			return nil
		}
		return p.api
	})
}

// handler serves by what current returns, which is called with mu held.
func (p *Platform) handler(current func() http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.RLock()
		h := current()
		p.mu.RUnlock()
		if h == nil {
			w.Header().Set("Retry-After", "2")
			http.Error(w, "The platform is not running. Try again in a moment.", http.StatusServiceUnavailable)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// RouterAddr returns the address, host:port, that serves apps; "" while the
// platform does not run, and if the listener is shared.
func (p *Platform) RouterAddr() string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.appsServer == nil {
		return ""
	}
	return p.appsServer.Reachable()
}

// Serves reports whether host belongs to an app; false while the platform does not
// run.
func (p *Platform) Serves(host string) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.apps == nil {
		return false
	}
	_, _, ok := p.apps.Lookup(host)
	return ok
}

// AppURL returns the URL of a subdomain as people use it.
func (p *Platform) AppURL(subdomain string) string {
	if p.o.AppsURL != nil {
		scheme, host, _ := strings.Cut(p.o.AppsURL(), "://")
		return scheme + "://" + subdomain + "." + host
	}
	host, scheme, usual := subdomain+"."+p.o.AppsDomain, "http://", "80"
	if p.o.TLS != nil {
		scheme, usual = "https://", "443"
	}
	_, port, _ := net.SplitHostPort(p.appsAddr) // a listener's own address
	if port != usual {
		host = net.JoinHostPort(host, port)
	}
	return scheme + host
}
