package datacenters

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
)

// headerNeighbour proves that a request was passed on by a neighbour's router.
const headerNeighbour = "X-Webhooks-Neighbour"

const (
	knownFor  = time.Minute     // how long a neighbour's answer is believed
	failedFor = time.Second     // how long one that did not answer is left alone
	askWithin = 2 * time.Second // for its answer
)

// neighbours remembers where the routers of neighbours are.
type neighbours struct {
	mu    sync.Mutex
	found map[string]found // by URL of the API
}

type found struct {
	addr  string // host:port of the router; "" where it was not found
	until time.Time
}

// Next returns the router, host:port, that a request goes on to which nobody
// here serves: at a branch the home's, at the home that of the first of the
// datacenters, where the app lives, that is reached. ok is false where nobody
// else could know the app; addr is "" where none of them is reached.
func (d *Datacenters) Next(r *http.Request, lives []string) (addr string, ok bool) {
	if d.home != nil {
		if d.proven(r) || passed(r, d.o.Here) {
			return "", false // the home sent it
		}
		return d.router(r.Context(), d.o.Home, d.home), true
	}
	for _, datacenter := range lives {
		client := d.branches[datacenter]
		if client == nil || passed(r, datacenter) {
			continue
		}
		if ok = true; addr == "" {
			addr = d.router(r.Context(), d.o.Branches[datacenter], client)
		}
	}
	return addr, ok
}

// Pass prepares a request that goes on to a neighbour.
func (d *Datacenters) Pass(out *http.Request) {
	out.Header.Add("Via", via(d.o.Here))
	out.Header.Set(headerNeighbour, d.proof())
}

// Neighbour tells whether a request was passed on by a neighbour, whose
// X-Forwarded headers are to be believed, and takes the proof of it out of out.
func (d *Datacenters) Neighbour(in, out *http.Request) bool {
	out.Header.Del(headerNeighbour)
	return d.proven(in)
}

func (d *Datacenters) proven(r *http.Request) bool {
	given := r.Header.Get(headerNeighbour)
	return given != "" && d.o.Key != "" && hmac.Equal([]byte(given), []byte(d.proof()))
}

// proof is made of the key, and does not tell it.
func (d *Datacenters) proof() string {
	mac := hmac.New(sha256.New, []byte(d.o.Key))
	mac.Write([]byte("a neighbour's router"))
	return hex.EncodeToString(mac.Sum(nil))
}

// Lost says that a router did not accept a connection: it may have moved.
func (d *Datacenters) Lost(addr string) {
	d.neighbours.mu.Lock()
	defer d.neighbours.mu.Unlock()
	for api, f := range d.neighbours.found {
		if f.addr == addr {
			delete(d.neighbours.found, api)
		}
	}
}

// router returns the address of the router beside an API.
func (d *Datacenters) router(ctx context.Context, api string, c *nodejitsu.Client) string {
	now := time.Now()
	d.neighbours.mu.Lock()
	f, ok := d.neighbours.found[api]
	d.neighbours.mu.Unlock()
	if ok && now.Before(f.until) {
		return f.addr
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askWithin)
	defer cancel()
	f = found{until: now.Add(failedFor)}
	u, err := url.Parse(api)
	if err == nil {
		var w whoami
		if w, err = ask(ctx, c); err == nil {
			f = found{addr: net.JoinHostPort(u.Hostname(), w.AppsPort), until: now.Add(knownFor)}
		}
	}
	if err != nil {
		d.o.Logger.WarnContext(ctx, "datacenter not reached", "url", api, "error", err)
	}
	d.neighbours.mu.Lock()
	defer d.neighbours.mu.Unlock()
	d.neighbours.found[api] = f
	return f.addr
}
