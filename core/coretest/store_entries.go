package coretest

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

func testAccept(b *bench) {
	e := b.entry("u")
	e.Notes, e.Commits = []string{"note"}, []string{strings.Repeat("a", 40)}
	e.Build = &core.Build{ID: "1", State: core.BuildPassed}
	c := b.accept(e, nil)
	if c.Entry.Revision != 1 || c.Seq.IsZero() {
		b.Errorf("got revision %d, seq %s", c.Entry.Revision, c.Seq)
	}
	e.Revision = 1
	if got := b.find(e.ID); !reflect.DeepEqual(got.Entry, e) || got.Seq != c.Seq {
		b.Errorf("got %+v\nwant %+v", got.Entry, e)
	}
	b.claim("")
}

func testAcceptRepeat(b *bench) {
	accept := func(user, key string) (core.Change, bool) {
		c, repeat, err := b.s.Accept(b.Context(), deploy.Acceptance{Entry: b.entry(user), Key: key, Place: &deploy.Place{Lane: user + key}})
		b.must(err)
		return c, repeat
	}
	first, repeat := accept("u", "k")
	if repeat {
		b.Fatal("the first is a repeat")
	}
	first = b.save(first.Entry, deploy.Move{Stay: true})
	second, repeat := accept("u", "k")
	if !repeat || second.Entry.ID != first.Entry.ID || second.Entry.Revision != 2 {
		b.Errorf("got %+v, repeat %t; want the first as it is now", second.Entry, repeat)
	}
	for _, other := range [][2]string{{"u", "l"}, {"v", "k"}, {"u", ""}, {"u", ""}} {
		if _, repeat := accept(other[0], other[1]); repeat {
			b.Errorf("%q is a repeat", other)
		}
	}
	if _, total, err := b.s.Entries(b.Context(), "u", "", 0, 10); err != nil || total != 4 {
		b.Errorf("got %d entries, %v", total, err)
	}
}

// What is refused because its time is up is not done later either.
func testAcceptCancelled(b *bench) {
	e := b.entry("u")
	if _, _, err := b.s.Accept(b.cancelled(), deploy.Acceptance{Entry: e, Key: "k", Place: &deploy.Place{}}); err == nil {
		b.Fatal("it was accepted")
	}
	b.accept(b.entry("v"), nil)
	if _, err := b.s.Find(b.Context(), e.ID); !errors.Is(err, core.ErrNotFound) {
		b.Errorf("got %v", err)
	}
	b.claim("")
}

func testAcceptHuge(b *bench) {
	e := b.entry("u")
	for i := range 2048 {
		e.Commits = append(e.Commits, fmt.Sprintf("%040d", i))
	}
	_, _, err := b.s.Accept(b.Context(), deploy.Acceptance{Entry: e, Payload: bytes.Repeat([]byte("x"), core.MaxPayload)})
	b.must(err)
	found, err := b.s.ByCommit(b.Context(), e.Repository.Key(), e.Commits[2000:2001])
	if err != nil || len(found) != 1 {
		b.Errorf("got %d, %v", len(found), err)
	}
}

func testAcceptConcurrent(b *bench) {
	var group sync.WaitGroup
	repeats := make(chan bool, 32)
	entries := make([]core.Entry, 32)
	for i := range entries {
		entries[i] = b.entry("u")
	}
	for _, e := range entries {
		group.Go(func() {
			_, repeat, err := b.s.Accept(b.Context(), deploy.Acceptance{Entry: e, Key: "same"})
			if err != nil {
				b.Error(err)
			}
			repeats <- repeat
		})
	}
	group.Wait()
	close(repeats)
	firsts := 0
	for repeat := range repeats {
		if !repeat {
			firsts++
		}
	}
	if firsts != 1 {
		b.Errorf("%d of one key were accepted", firsts)
	}
}

func testSave(b *bench) {
	c := b.queue("lane")
	e := c.Entry
	e.Status, e.Reason, e.Error = core.StatusError, "why", &core.EntryError{Code: core.CodeStartApp}
	saved := b.save(e, deploy.Move{})
	if saved.Entry.Revision != 2 || saved.Seq.Compare(c.Seq) <= 0 {
		b.Errorf("got revision %d, seq %s after %s", saved.Entry.Revision, saved.Seq, c.Seq)
	}
	if got := b.find(e.ID); !reflect.DeepEqual(got, saved) || got.Entry.Reason != "why" {
		b.Errorf("got %+v, want %+v", got, saved)
	}
	b.claim("") // it left the queue
	b.save(saved.Entry, deploy.Move{Place: &deploy.Place{}})
	if again := b.claim(e.ID); again.Standing.Newest != e.ID {
		b.Errorf("its lane was forgotten: %+v", again.Standing)
	}
}

func testSaveConflict(b *bench) {
	c := b.queue("lane")
	b.save(c.Entry, deploy.Move{Stay: true})
	if _, err := b.s.Save(b.Context(), c.Entry, deploy.Move{}); !errors.Is(err, core.ErrConflict) {
		b.Errorf("got %v", err)
	}
	b.claim(c.Entry.ID) // the refused Save did not move it
}

func testSaveConcurrent(b *bench) {
	c := b.queue("lane")
	var group sync.WaitGroup
	results := make(chan error, 16)
	for range 16 {
		group.Go(func() {
			_, err := b.s.Save(b.Context(), c.Entry, deploy.Move{Stay: true})
			results <- err
		})
	}
	group.Wait()
	close(results)
	saved := 0
	for err := range results {
		switch {
		case err == nil:
			saved++
		case !errors.Is(err, core.ErrConflict):
			b.Error(err)
		}
	}
	if saved != 1 || b.find(c.Entry.ID).Entry.Revision != 2 {
		b.Errorf("%d saved the same revision", saved)
	}
}

func testByCommit(b *bench) {
	one, two, other := b.entry("u"), b.entry("v"), b.entry("u")
	shared := strings.Repeat("c", 40)
	one.Commits, two.Commit.ID = []string{strings.Repeat("d", 40), shared}, shared
	other.Repository.Name, other.Commit.ID = "Other", shared
	for _, e := range []core.Entry{one, two, other} {
		b.accept(e, nil)
	}
	for _, test := range []struct {
		commits []string
		want    []string
	}{
		{[]string{shared}, []string{two.ID, one.ID}},
		{[]string{strings.Repeat("d", 40), shared}, []string{two.ID, one.ID}},
		{[]string{one.Commit.ID}, []string{one.ID}},
		{[]string{strings.Repeat("e", 40)}, nil},
		{nil, nil},
	} {
		found, err := b.s.ByCommit(b.Context(), "owner/repo", test.commits)
		b.must(err)
		var got []string
		for _, c := range found {
			got = append(got, c.Entry.ID)
		}
		if !slices.Equal(got, test.want) {
			b.Errorf("%v: got %v, want %v", test.commits, got, test.want)
		}
	}
}

func testNothingThere(b *bench) {
	for _, id := range []string{"", "nothing", strings.Repeat("0", 32), "a\x00b"} {
		if _, err := b.s.Find(b.Context(), id); !errors.Is(err, core.ErrNotFound) {
			b.Errorf("find %q: %v", id, err)
		}
		if _, err := b.s.Entry(b.Context(), "u", id); !errors.Is(err, core.ErrNotFound) {
			b.Errorf("entry %q: %v", id, err)
		}
	}
	if _, err := b.s.Save(b.Context(), b.entry("u"), deploy.Move{}); !errors.Is(err, core.ErrNotFound) {
		b.Errorf("save: %v", err)
	}
	nobody := deploy.Claim{Change: core.Change{Entry: b.entry("u")}, Attempt: 1}
	if _, err := b.s.Renew(b.Context(), nobody, time.Minute); err == nil {
		b.Error("a claim of nothing was renewed")
	}
	if changes, err := b.s.Changes(b.Context(), "u", core.Seq{}, 10); err != nil || len(changes) != 0 {
		b.Errorf("changes: %v, %v", changes, err)
	}
	if oldest, newest, err := b.s.Bounds(b.Context(), "u"); err != nil || !oldest.IsZero() || !newest.IsZero() {
		b.Errorf("bounds: %v %v %v", oldest, newest, err)
	}
}

// A report of Travis CI may name nobody.
func testNamelessUser(b *bench) {
	e := b.entry("")
	c, _, err := b.s.Accept(b.Context(), deploy.Acceptance{Entry: e, Key: "k", Place: &deploy.Place{}})
	b.must(err)
	b.save(b.claim(e.ID).Change.Entry, deploy.Move{})
	changes, err := b.s.Changes(b.Context(), "", c.Seq, 10)
	if err != nil || len(changes) != 2 {
		b.Errorf("got %d changes, %v", len(changes), err)
	}
}

// What goes in and comes out belongs to the caller.
func testSharesNoMemory(b *bench) {
	e := b.entry("u")
	e.Steps, e.Notes = []core.Step{{Name: core.StepTravis}}, []string{"a"}
	c := b.accept(e, nil)
	e.Steps[0].Name, e.Notes[0] = "changed", "changed"
	c.Entry.Steps[0].Name = "changed"
	got := b.find(e.ID)
	got.Entry.Notes[0] = "changed"
	if got := b.find(e.ID).Entry; got.Steps[0].Name != core.StepTravis || got.Notes[0] != "a" {
		b.Errorf("got %+v", got)
	}
}

func testCancelledContexts(b *bench) {
	ctx := b.cancelled()
	c := b.queue("lane")
	for name, call := range map[string]func() error{
		"Save":     func() error { _, err := b.s.Save(ctx, c.Entry, deploy.Move{}); return err },
		"Find":     func() error { _, err := b.s.Find(ctx, c.Entry.ID); return err },
		"ByCommit": func() error { _, err := b.s.ByCommit(ctx, "a/b", nil); return err },
		"Claim":    func() error { _, _, _, err := b.s.Claim(ctx, time.Minute); return err },
		"Owe":      func() error { return b.s.Owe(ctx, "a", 0) },
		"Told":     func() error { return b.s.Told(ctx, "a") },
		"Owed":     func() error { _, err := b.s.Owed(ctx, nil, time.Minute); return err },
		"Entries":  func() error { _, _, err := b.s.Entries(ctx, "u", "", 0, 1); return err },
		"Changes":  func() error { _, err := b.s.Changes(ctx, "u", core.Seq{}, 1); return err },
		"Bounds":   func() error { _, _, err := b.s.Bounds(ctx, "u"); return err },
	} {
		if call() == nil {
			b.Errorf("%s went on", name)
		}
	}
	if got := b.claim(c.Entry.ID).Change.Entry.Revision; got != 2 {
		b.Errorf("got revision %d", got)
	}
}
