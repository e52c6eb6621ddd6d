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
		got, enough := p.crash(o, now, 0)
		if got != want || enough != "" {
			t.Errorf("crash %d: pause %v, given up %q; want %v", i+1, got, enough, want)
		}
		now = now.Add(got)
	}
	if _, enough := p.crash(o, now, 0); enough != "5 crashes within 1m0s" {
		t.Errorf("after 5 crashes within 15 s it is given up for %q", enough)
	}
	// One that lives for half a minute each time goes on, ever slower.
	p = pacer{}
	var got time.Duration
	for i := range 20 {
		var enough string
		now = now.Add(30 * time.Second)
		if got, enough = p.crash(o, now, 30*time.Second); enough != "" {
			t.Fatalf("it is given up with crash %d", i+1)
		}
		now = now.Add(got)
	}
	if got != time.Minute {
		t.Errorf("the pause grows to %v, want a minute", got)
	}
	// One that never gets ready is given up, though that takes 30 s each time.
	p = pacer{}
	for i, want := range []string{"", "", "", "", "5 failed starts in a row"} {
		now = now.Add(time.Minute + 30*time.Second)
		if _, enough := p.fail(o, now); enough != want {
			t.Errorf("after %d starts that came to nothing it is given up for %q", i+1, enough)
		}
	}
	// One that gets ready in between goes on.
	p = pacer{}
	for i := range 20 {
		now = now.Add(time.Minute)
		_, enough := p.fail(o, now)
		if i%4 == 3 {
			now = now.Add(time.Minute)
			_, enough = p.crash(o, now, time.Second)
		}
		if enough != "" {
			t.Errorf("with start %d it is given up for %s, though some get ready", i+1, enough)
		}
	}
	// After a minute of life all is forgotten.
	if got, _ := p.crash(o, now.Add(time.Minute), time.Minute); got != time.Second {
		t.Errorf("after a minute of life the pause is %v", got)
	}
}
