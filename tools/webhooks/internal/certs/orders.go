package certs

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// Let's Encrypt accepts 300 orders of an account in 3 hours, and 5 failed ones for
// a host in 1 hour (letsencrypt.org/docs/rate-limits). The owner of an app may
// choose any hosts for it, even some that do not resolve to this server.
const (
	ordersIn  = 3 * time.Hour
	maxOrders = 100             // hosts in that time; the others are for the operator's domains
	orderTime = 2 * time.Minute // for an order to succeed, with the retries of autocert
	restTime  = time.Hour       // of a host whose order has failed
)

// orders limits the hosts of apps for which certificates are ordered. It may be
// used concurrently.
type orders struct {
	mu      sync.Mutex
	started map[string]time.Time // by host: the time of its order
}

// allow returns an error if no certificate may be ordered for host now. It is not
// called for a host that has one.
func (o *orders) allow(host string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if o.started == nil {
		o.started = map[string]time.Time{}
	}
	for other, at := range o.started {
		if now.Sub(at) >= ordersIn {
			delete(o.started, other)
		}
	}
	at, known := o.started[host]
	switch {
	case known && now.Sub(at) < orderTime:
		return nil
	case known && now.Sub(at) < restTime:
		return fmt.Errorf("certs: the order for this host has failed; it is retried after %s", restTime)
	case !known && len(o.started) >= maxOrders:
		return errors.New("certs: too many orders for new hosts; try again later")
	}
	o.started[host] = now
	return nil
}
