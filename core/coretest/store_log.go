package coretest

import (
	"errors"
	"slices"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

func testLog(b *bench) {
	var want []string
	for i := range 7 {
		e := b.entry("u")
		if i%2 == 0 {
			e.App = "app"
		}
		b.accept(e, nil)
		b.accept(b.entry("u2"), nil)
		want = append([]string{e.ID}, want...)
	}
	page := func(app string, skip, limit int) (got []string, total int) {
		entries, total, err := b.s.Entries(b.Context(), "u", app, skip, limit)
		b.must(err)
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
			b.Errorf("%+v: got %v of %d", test, got, total)
		}
	}
	if _, err := b.s.Entry(b.Context(), "u2", want[0]); !errors.Is(err, core.ErrNotFound) {
		b.Errorf("somebody else's entry: %v", err)
	}
	if c, err := b.s.Entry(b.Context(), "u", want[0]); err != nil || c.Entry.ID != want[0] || c.Seq.IsZero() {
		b.Errorf("got %+v, %v", c, err)
	}
}

// The app is known only after the entry.
func testLogMovesWithApp(b *bench) {
	c := b.accept(b.entry("u"), nil)
	for _, app := range []string{"one", "two"} {
		c.Entry.App = app
		c = b.save(c.Entry, deploy.Move{})
		c = b.save(c.Entry, deploy.Move{})
	}
	for app, want := range map[string]int{"one": 0, "two": 1} {
		if _, total, err := b.s.Entries(b.Context(), "u", app, 0, 10); err != nil || total != want {
			b.Errorf("%s: got %d, %v", app, total, err)
		}
	}
}

func testChanges(b *bench) {
	c := b.accept(b.entry("u"), nil)
	b.accept(b.entry("v"), nil)
	seqs := []core.Seq{c.Seq}
	for range 5 {
		c = b.save(c.Entry, deploy.Move{})
		seqs = append(seqs, c.Seq)
		b.clock.move(time.Millisecond / 2)
	}
	all, err := b.s.Changes(b.Context(), "u", core.Seq{}, 100)
	b.must(err)
	var got []core.Seq
	for i, c := range all {
		got = append(got, c.Seq)
		if c.Entry.Revision != int64(i+1) {
			b.Errorf("change %d is of revision %d", i, c.Entry.Revision)
		}
	}
	if !slices.Equal(got, seqs) || !slices.IsSortedFunc(got, core.Seq.Compare) {
		b.Errorf("got %v, want %v", got, seqs)
	}
	rest, err := b.s.Changes(b.Context(), "u", seqs[1], 2)
	if err != nil || len(rest) != 2 || rest[0].Seq != seqs[2] || rest[1].Seq != seqs[3] {
		b.Errorf("got %v, %v", rest, err)
	}
	oldest, newest, err := b.s.Bounds(b.Context(), "u")
	if err != nil || oldest != seqs[0] || newest != seqs[5] {
		b.Errorf("got %s to %s, %v", oldest, newest, err)
	}
}

func testChangesGone(b *bench) {
	c := b.accept(b.entry("u"), nil)
	first := c.Seq
	for range keptChanges {
		c = b.save(c.Entry, deploy.Move{})
	}
	all, err := b.s.Changes(b.Context(), "u", core.Seq{}, 1000)
	if err != nil || len(all) != keptChanges {
		b.Fatalf("got %d changes, %v; want %d", len(all), err, keptChanges)
	}
	// Nothing after the one that was dropped is missing yet.
	if rest, err := b.s.Changes(b.Context(), "u", first, 1000); err != nil || len(rest) != keptChanges {
		b.Errorf("got %d, %v", len(rest), err)
	}
	b.save(c.Entry, deploy.Move{})
	if _, err := b.s.Changes(b.Context(), "u", first, 1000); !errors.Is(err, core.ErrGone) {
		b.Errorf("got %v", err)
	}
	if oldest, _, err := b.s.Bounds(b.Context(), "u"); err != nil || oldest != all[1].Seq {
		b.Errorf("the oldest is %s, %v; want %s", oldest, err, all[1].Seq)
	}
}

// A clock that is set back does not bring the changes out of order.
func testChangesNeverBack(b *bench) {
	c := b.accept(b.entry("u"), nil)
	b.clock.move(-time.Hour)
	back := b.save(c.Entry, deploy.Move{})
	if back.Seq.Compare(c.Seq) <= 0 {
		b.Errorf("%s does not come after %s", back.Seq, c.Seq)
	}
}

func testWatch(b *bench) {
	wake, stop := b.s.Watch("u")
	other, stopOther := b.s.Watch("v")
	defer stopOther()
	c := b.accept(b.entry("u"), nil)
	select {
	case <-wake:
	case <-b.Context().Done():
	}
	b.save(c.Entry, deploy.Move{})
	<-wake
	select {
	case <-other:
		b.Error("somebody else's change woke")
	default:
	}
	stop()
	stop() // harmless
	select {
	case <-wake: // another time for the Save, as a Store may that is told of it by others, too
	default:
	}
	b.save(b.find(c.Entry.ID).Entry, deploy.Move{})
	select {
	case <-wake:
		b.Error("it woke after the stop")
	default:
	}
}

// Everything that was acknowledged is there after a restart, and what a dead
// process had claimed can be claimed again.
func testRestart(b *bench) {
	if b.h.Restart == nil {
		return
	}
	key := deploy.Acceptance{Entry: b.entry("u"), Key: "k", Payload: []byte("{}")}
	keyed, _, err := b.s.Accept(b.Context(), key)
	b.must(err)
	first := b.queue("lane")
	second := b.queue("lane")
	claimed := b.claim(first.Entry.ID)
	all, err := b.s.Changes(b.Context(), "u", core.Seq{}, 100)
	b.must(err)

	b.s = b.h.Restart(b.T, b.s)
	key.Entry = b.entry("u")
	if again, repeat, err := b.s.Accept(b.Context(), key); err != nil || !repeat || again.Entry.ID != keyed.Entry.ID {
		b.Errorf("the key is forgotten: %+v, %t, %v", again, repeat, err)
	}
	got, err := b.s.Changes(b.Context(), "u", core.Seq{}, 100)
	if err != nil || len(got) != len(all) {
		b.Errorf("got %d changes, want %d; %v", len(got), len(all), err)
	}
	b.clock.move(2 * time.Minute)
	again := b.claim(first.Entry.ID)
	if !again.Lost || again.Attempt != 2 || again.Standing.Newest != second.Entry.ID {
		b.Errorf("got %+v", again)
	}
	if _, err := b.s.Save(b.Context(), claimed.Change.Entry, deploy.Move{}); !errors.Is(err, core.ErrConflict) {
		b.Errorf("the claim of the dead process still holds: %v", err)
	}
	if c := b.save(again.Change.Entry, deploy.Move{}); c.Seq.Compare(all[len(all)-1].Seq) <= 0 {
		b.Errorf("the log went back: %s", c.Seq)
	}
	b.claim(second.Entry.ID)
}
