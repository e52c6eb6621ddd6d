package coretest

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

func testLog(f *fixture) {
	var want []string
	for i := range 7 {
		e := f.entry("u")
		if i%2 == 0 {
			e.App = "app"
		}
		f.accept(e, nil)
		f.accept(f.entry("u2"), nil)
		want = append([]string{e.ID}, want...)
	}
	page := func(app string, skip, limit int) (got []string, total int) {
		entries, total, err := f.s.Entries(f.Context(), "u", app, skip, limit)
		f.must(err)
		for _, e := range entries {
			got = append(got, e.ID)
		}
		return got, total
	}
	for _, test := range []struct {
		app         string
		skip, limit int
		want        []string
		total       int
	}{
		{"", 0, 100, want, 7},
		{"", 0, 2, want[:2], 7},
		{"", 2, 3, want[2:5], 7},
		{"", 6, 3, want[6:], 7},
		{"", 7, 3, nil, 7},
		{"app", 0, 100, []string{want[0], want[2], want[4], want[6]}, 4},
		{"app", 1, 1, []string{want[2]}, 4},
		{"ap", 0, 100, nil, 0},
	} {
		if got, total := page(test.app, test.skip, test.limit); !slices.Equal(got, test.want) || total != test.total {
			f.Errorf("%+v: got %v of %d", test, got, total)
		}
	}
	if _, err := f.s.Entry(f.Context(), "u2", want[0]); !errors.Is(err, core.ErrNotFound) {
		f.Errorf("another user's entry: %v", err)
	}
	if c, err := f.s.Entry(f.Context(), "u", want[0]); err != nil || c.Entry.ID != want[0] || c.Seq.IsZero() {
		f.Errorf("got %+v, %v", c, err)
	}
	if payload, err := f.s.Payload(f.Context(), want[0]); err != nil || string(payload) != "{}" {
		f.Errorf("the payload: got %q, %v", payload, err)
	}
	if _, err := f.s.Payload(f.Context(), strings.Repeat("f", 32)); !errors.Is(err, core.ErrNotFound) {
		f.Errorf("the payload of no entry: %v", err)
	}
}

// The app is known only after the entry was accepted.
func testLogMovesWithApp(f *fixture) {
	c := f.accept(f.entry("u"), nil)
	for _, app := range []string{"one", "two"} {
		c.Entry.App = app
		c = f.finish(c.Entry, 0)
		c = f.finish(c.Entry, 0)
	}
	for app, want := range map[string]int{"one": 0, "two": 1} {
		if _, total, err := f.s.Entries(f.Context(), "u", app, 0, 10); err != nil || total != want {
			f.Errorf("%s: got %d, %v", app, total, err)
		}
	}
}

func testChanges(f *fixture) {
	c := f.accept(f.entry("u"), nil)
	f.accept(f.entry("v"), nil)
	seqs := []core.Seq{c.Seq}
	for range 5 {
		c = f.finish(c.Entry, 0)
		seqs = append(seqs, c.Seq)
		f.clock.move(time.Millisecond / 2)
	}
	all, err := Changes(f.Context(), f.s, "u", core.Seq{}, 100)
	f.must(err)
	var got []core.Seq
	for i, c := range all {
		got = append(got, c.Seq)
		if c.Entry.Revision != int64(i+1) {
			f.Errorf("change %d is of revision %d", i, c.Entry.Revision)
		}
	}
	if !slices.Equal(got, seqs) || !slices.IsSortedFunc(got, core.Seq.Compare) {
		f.Errorf("got %v, want %v", got, seqs)
	}
	rest, err := Changes(f.Context(), f.s, "u", seqs[1], 2)
	if err != nil || len(rest) != 2 || rest[0].Seq != seqs[2] || rest[1].Seq != seqs[3] {
		f.Errorf("got %v, %v", rest, err)
	}
	oldest, newest, err := f.s.Bounds(f.Context(), "u")
	if err != nil || oldest != seqs[0] || newest != seqs[5] {
		f.Errorf("got %s to %s, %v", oldest, newest, err)
	}
}

func testChangesGone(f *fixture) {
	c := f.accept(f.entry("u"), nil)
	first := c.Seq
	for range keptChanges {
		c = f.finish(c.Entry, 0)
	}
	all, err := Changes(f.Context(), f.s, "u", core.Seq{}, 1000)
	if err != nil || len(all) != keptChanges {
		f.Fatalf("got %d changes, %v; want %d", len(all), err, keptChanges)
	}
	// All changes after the dropped one are there.
	if rest, err := Changes(f.Context(), f.s, "u", first, 1000); err != nil || len(rest) != keptChanges {
		f.Errorf("got %d, %v", len(rest), err)
	}
	f.finish(c.Entry, 0)
	if _, err := Changes(f.Context(), f.s, "u", first, 1000); !errors.Is(err, core.ErrGone) {
		f.Errorf("got %v", err)
	}
	if oldest, _, err := f.s.Bounds(f.Context(), "u"); err != nil || oldest != all[1].Seq {
		f.Errorf("the oldest is %s, %v; want %s", oldest, err, all[1].Seq)
	}
}

// If no change is kept any more, the end of the log is still known.
func testChangesAllGone(f *fixture) {
	if f.h.Clean == nil {
		return
	}
	first := f.accept(f.entry("u"), nil)
	last := f.finish(first.Entry, 0)
	f.clock.move(8 * 24 * time.Hour)
	f.must(f.h.Clean(f.T, f.s))
	if oldest, newest, err := f.s.Bounds(f.Context(), "u"); err != nil || !oldest.IsZero() || newest != last.Seq {
		f.Errorf("got %s to %s, %v; want none to %s", oldest, newest, err, last.Seq)
	}
	if _, err := Changes(f.Context(), f.s, "u", first.Seq, 10); !errors.Is(err, core.ErrGone) {
		f.Errorf("after the first change: %v", err)
	}
	if rest, err := Changes(f.Context(), f.s, "u", last.Seq, 10); err != nil || len(rest) != 0 {
		f.Errorf("after the last change: %d changes, %v", len(rest), err)
	}
	next := f.finish(last.Entry, 0)
	if oldest, newest, err := f.s.Bounds(f.Context(), "u"); err != nil || oldest != next.Seq || newest != next.Seq {
		f.Errorf("got %s to %s, %v; want %s only", oldest, newest, err, next.Seq)
	}
}

// Changes stay in order if the clock is set back.
func testChangesNeverBack(f *fixture) {
	c := f.accept(f.entry("u"), nil)
	f.clock.move(-time.Hour)
	back := f.finish(c.Entry, 0)
	if back.Seq.Compare(c.Seq) <= 0 {
		f.Errorf("%s is not after %s", back.Seq, c.Seq)
	}
}

func testWatch(f *fixture) {
	wake, stop := f.s.Watch("u")
	other, stopOther := f.s.Watch("v")
	defer stopOther()
	c := f.accept(f.entry("u"), nil)
	select {
	case <-wake:
	case <-f.Context().Done():
	}
	f.finish(c.Entry, 0)
	<-wake
	select {
	case <-other:
		f.Error("another user's change woke the watch")
	default:
	}
	stop()
	stop() // harmless
	select {
	case <-wake: // a Store that learns of the change from others too may signal twice
	default:
	}
	f.finish(f.find(c.Entry.ID).Entry, 0)
	select {
	case <-wake:
		f.Error("the watch woke after stop")
	default:
	}
}

// Everything that was acknowledged is there after a restart, and the claims of a
// process that died can be claimed again.
func testRestart(f *fixture) {
	if f.h.Restart == nil {
		return
	}
	key := deploy.Acceptance{Entry: f.entry("u"), Key: "k", Payload: []byte("{}")}
	keyed, _, err := f.s.Accept(f.Context(), key)
	f.must(err)
	first := f.queue("lane")
	second := f.queue("lane")
	claimed := f.claim(first.Entry.ID)
	all, err := Changes(f.Context(), f.s, "u", core.Seq{}, 100)
	f.must(err)

	f.s = f.h.Restart(f.T, f.s)
	key.Entry = f.entry("u")
	if again, repeat, err := f.s.Accept(f.Context(), key); err != nil || !repeat || again.Entry.ID != keyed.Entry.ID {
		f.Errorf("the key is lost: %+v, %t, %v", again, repeat, err)
	}
	got, err := Changes(f.Context(), f.s, "u", core.Seq{}, 100)
	if err != nil || len(got) != len(all) {
		f.Errorf("got %d changes, want %d; %v", len(got), len(all), err)
	}
	f.clock.move(2 * time.Minute)
	again := f.claim(first.Entry.ID)
	if !again.Lost || again.Attempt != 2 || again.Newest != second.Entry.ID {
		f.Errorf("got %+v", again)
	}
	if _, err := f.s.Finish(f.Context(), claimed.Change.Entry, 0); !errors.Is(err, core.ErrConflict) {
		f.Errorf("the claim of the dead process was not lost: %v", err)
	}
	if c := f.finish(again.Change.Entry, 0); c.Seq.Compare(all[len(all)-1].Seq) <= 0 {
		f.Errorf("the seq is lower than before: %s", c.Seq)
	}
	f.claim(second.Entry.ID)
}
