package certs

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// Hosts that do not resolve to this server do not use up the limits of the ACME
// server.
func TestOrdersAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var o orders
		may := func(host string) bool { return o.allow(host) == nil }
		if first, second := may("a.example.com"), may("a.example.com"); !first || !second {
			t.Error("a host is refused while its order may still succeed")
		}
		time.Sleep(10 * time.Minute) // of the bubble's clock
		if may("a.example.com") {
			t.Error("a host that has failed is retried at once")
		}
		if !may("b.example.com") {
			t.Error("another host has to wait for it")
		}
		time.Sleep(time.Hour)
		if !may("a.example.com") {
			t.Error("a host that has failed is never retried")
		}
		allowed := 0
		for i := range 200 {
			if may(fmt.Sprintf("%d.example.com", i)) {
				allowed++
			}
		}
		if allowed != maxOrders-2 {
			t.Errorf("%d more hosts were allowed, want %d", allowed, maxOrders-2)
		}
		time.Sleep(4 * time.Hour)
		if !may("c.example.com") || len(o.started) != 1 {
			t.Errorf("after a while a new host is refused, or %d old ones are remembered", len(o.started))
		}
	})
}
