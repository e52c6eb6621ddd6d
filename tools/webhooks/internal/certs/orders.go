package certs

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// Let's Encrypt takes 300 orders of an account in 3 hours, and 5 that fail for
// a host in one (letsencrypt.org/docs/rate-limits). Whose app a host is may name
// as many as an app may have, and not one of them need lead here.
const (
	ordersIn  = 3 * time.Hour
	maxOrders = 100             // hosts in that time; the rest is for the operator's own
	orderTime = 2 * time.Minute // for one to succeed; autocert tries again within it
	restTime  = time.Hour       // of a host for which none did
)

// orders bounds for which hosts of apps certificates are ordered. It may be
// used concurrently.
type orders struct {
	mu    sync.Mutex
	begun map[string]time.Time // when ordering for a host began
}

// may tells whether a certificate may be ordered for host now. It is not asked
// about hosts that have one.
func (o *orders) may(host string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if o.begun == nil {
		o.begun = map[string]time.Time{}
	}
	for other, at := range o.begun {
		if now.Sub(at) >= ordersIn {
			delete(o.begun, other)
		}
	}
	at, known := o.begun[host]
	switch {
	case known && now.Sub(at) < orderTime:
		return nil
	case known && now.Sub(at) < restTime:
		return fmt.Errorf("certs: none was issued for this host; it is tried again after %s", restTime)
	case !known && len(o.begun) >= maxOrders:
		return errors.New("certs: too many hosts want their first certificate; try again later")
	}
	o.begun[host] = now
	return nil
}
