package processes

import (
	"testing"
	"time"
)

func TestPacer(t *testing.T) {
	t.Parallel()
	o := Options{}.withDefaults()
	var p pacer
	for i, want := range []time.Duration{
		time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second,
		64 * time.Second, 128 * time.Second, 256 * time.Second, 5 * time.Minute, 5 * time.Minute,
	} {
		if got := p.crash(o, 59*time.Second); got != want || p.crashes != i+1 {
			t.Errorf("crash %d of %d: got %v, want %v", p.crashes, i+1, got, want)
		}
	}
	if got := p.crash(o, time.Minute); got != time.Second || p.crashes != 1 {
		t.Errorf("after having been steady: crash %d, %v", p.crashes, got)
	}
}
