package drones

import (
	"testing"
	"time"
)

func TestPacer(t *testing.T) {
	t.Parallel()
	o := New(Options{}).o
	now := time.Unix(1e9, 0)
	// A drone that crashes at once is given up with the fifth crash.
	var p pacer
	for i, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second} {
		got, giveUp := p.crash(o, now, 0)
		if got != want || giveUp {
			t.Errorf("crash %d: pause %v, given up %v; want %v", i+1, got, giveUp, want)
		}
		now = now.Add(got)
	}
	if _, giveUp := p.crash(o, now, 0); !giveUp {
		t.Error("it is not given up after 5 crashes within 15 s")
	}
	// One that lives for half a minute each time goes on, ever slower.
	p = pacer{}
	var got time.Duration
	for i := range 20 {
		var giveUp bool
		now = now.Add(30 * time.Second)
		if got, giveUp = p.crash(o, now, 30*time.Second); giveUp {
			t.Fatalf("it is given up with crash %d", i+1)
		}
		now = now.Add(got)
	}
	if got != time.Minute {
		t.Errorf("the pause grows to %v, want a minute", got)
	}
	// After a minute of life all is forgotten.
	if got, _ := p.crash(o, now.Add(time.Minute), time.Minute); got != time.Second {
		t.Errorf("after a minute of life the pause is %v", got)
	}
}
