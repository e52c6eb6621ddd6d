package datacenters

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/deployer/platform/stall"
)

// Addressed returns the datacenter whose share a call is for: the one whose
// API it was sent to.
func (d *Datacenters) Addressed(r *http.Request) string {
	if named := r.Header.Get(nodejitsu.HeaderDatacenter); named != "" {
		return named
	}
	return d.o.Here
}

// KeyOf returns the key that a server of ours shows where it calls for somebody
// else; "" where there is none. It is still to be judged.
func KeyOf(r *http.Request) string { return r.Header.Get(nodejitsu.HeaderKey) }

// OrderOf returns the order of a write on an app; "" where it has none.
func OrderOf(r *http.Request) string { return r.Header.Get(nodejitsu.HeaderOrder) }

// Gate returns the API of a branch: own answers what the home asks of it, which
// the key proves; all else is passed on to the home. At the home it is own.
// caller tells the address of who calls, "" where nobody is to be slowed down.
func (d *Datacenters) Gate(own http.Handler, service func(*http.Request) bool, caller func(*http.Request) string) http.Handler {
	if d.home == nil {
		return own
	}
	home, _ := url.Parse(d.o.Home) // New has read it
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(home)
			p.Out.Header.Set(nodejitsu.HeaderDatacenter, d.o.Here)
			p.Out.Header.Set(nodejitsu.HeaderKey, d.o.Key.Reveal())
			p.Out.Header.Add("Via", via(d.o.Here))
			if address := caller(p.In); address != "" {
				p.Out.Header.Set("X-Forwarded-For", address)
			}
		},
		Transport:     &http.Transport{ExpectContinueTimeout: 5 * time.Second, IdleConnTimeout: time.Minute},
		FlushInterval: -1, // what a build prints is shown as it comes
		ModifyResponse: func(resp *http.Response) error {
			stall.Of(resp.Request).Duplex()
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() != nil {
				panic(http.ErrAbortHandler) // nobody is there to be told
			}
			d.o.Logger.WarnContext(r.Context(), "home not reached", "error", err)
			unreached(w)
		},
		ErrorLog: nil,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(nodejitsu.HeaderDatacenter) == d.o.Here && service(r) {
			own.ServeHTTP(w, r)
			return
		}
		if passed(r, d.o.Here) {
			d.o.Logger.ErrorContext(r.Context(), "home is a branch", "home", d.o.Home)
			unreached(w)
			return
		}
		// The limits of time are the home's, which knows what takes long; but it
		// does not see who stops here.
		control := http.NewResponseController(w)
		if control.SetReadDeadline(time.Time{}) != nil || control.SetWriteDeadline(time.Time{}) != nil {
			panic(http.ErrAbortHandler)
		}
		x, r := stall.Watch(w, r, stall.Limit)
		defer x.End()
		proxy.ServeHTTP(x, r)
	})
}

func unreached(w http.ResponseWriter) {
	h := w.Header()
	h.Set("X-Powered-By", "Nodejitsu/webhooks")
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Retry-After", "5")
	w.WriteHeader(http.StatusServiceUnavailable)
	text, _ := json.Marshal(map[string]string{ // of texts alone
		"error":   "unreachable",
		"message": "This datacenter does not reach its home, which knows the users and the apps; try again in a moment",
	})
	_, _ = w.Write(append(text, '\n'))
}

// via is what we add to the header Via.
func via(here string) string { return "1.1 webhooks-" + here }

// passed tells whether a request came by way of that datacenter before.
func passed(r *http.Request, datacenter string) bool {
	return slices.ContainsFunc(r.Header.Values("Via"), func(line string) bool {
		return slices.ContainsFunc(strings.Split(line, ","), func(hop string) bool {
			return strings.TrimSpace(hop) == via(datacenter)
		})
	})
}

// whoami is what a platform tells its neighbours.
type whoami struct {
	Datacenter string `json:"datacenter"`
	AppsPort   string `json:"apps_port"` // of its router
}

// Answer answers GET /datacenter, which neighbours ask; appsPort is our
// router's.
func (d *Datacenters) Answer(appsPort string) any {
	return whoami{Datacenter: d.o.Here, AppsPort: appsPort}
}

// ask asks a neighbour what it is.
func ask(ctx context.Context, c *nodejitsu.Client) (w whoami, err error) {
	err = c.Ask(ctx, "datacenter", &w)
	return w, err
}
