package certs

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever names hosts that don't lead here uses up nobody's limits at the ACME
// server.
func TestOrdersAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var o orders
		may := func(host string) bool { return o.may(host) == nil }
		if first, second := may("a.example.com"), may("a.example.com"); !first || !second {
			t.Error("a host is not tried while it may yet succeed")
		}
		time.Sleep(10 * time.Minute) // of the bubble's clock
		if may("a.example.com") {
			t.Error("a host that failed is tried again at once")
		}
		if !may("b.example.com") {
			t.Error("another host has to wait for it")
		}
		time.Sleep(time.Hour)
		if !may("a.example.com") {
			t.Error("a host that failed is never tried again")
		}
		allowed := 0
		for i := range 200 {
			if may(fmt.Sprintf("%d.example.com", i)) {
				allowed++
			}
		}
		if allowed != maxOrders-2 {
			t.Errorf("%d hosts more, want %d of all", allowed, maxOrders)
		}
		time.Sleep(4 * time.Hour)
		if !may("c.example.com") || len(o.begun) != 1 {
			t.Errorf("after a while nobody gets one, and %d are remembered", len(o.begun))
		}
	})
}
