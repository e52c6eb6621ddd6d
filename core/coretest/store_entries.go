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

func testAccept(f *fixture) {
	e := f.entry("u")
	e.Notes, e.Commits = []string{"note"}, []string{strings.Repeat("a", 40)}
	e.Build = &core.Build{ID: "1", State: core.BuildPassed}
	c := f.accept(e, nil)
	if c.Entry.Revision != 1 || c.Entry.Order <= 0 || c.Seq.IsZero() {
		f.Errorf("got revision %d, order %d, seq %s", c.Entry.Revision, c.Entry.Order, c.Seq)
	}
	e.Revision, e.Order = 1, c.Entry.Order
	if got := f.find(e.ID); !reflect.DeepEqual(got.Entry, e) || got.Seq != c.Seq {
		f.Errorf("got %+v\nwant %+v", got.Entry, e)
	}
	f.claim("")
}

func testAcceptRepeat(f *fixture) {
	accept := func(user, key string) (core.Change, bool) {
		c, repeat, err := f.s.Accept(f.Context(), deploy.Acceptance{Entry: f.entry(user), Key: key, Place: &deploy.Place{Lane: user + key}})
		f.must(err)
		return c, repeat
	}
	first, repeat := accept("u", "k")
	if repeat {
		f.Fatal("the first is a repeat")
	}
	first = f.update(first.Entry, 0)
	second, repeat := accept("u", "k")
	if !repeat || second.Entry.ID != first.Entry.ID || second.Entry.Revision != 2 {
		f.Errorf("got %+v, repeat %t; want the first as it is now", second.Entry, repeat)
	}
	for _, other := range [][2]string{{"u", "l"}, {"v", "k"}, {"u", ""}, {"u", ""}} {
		if _, repeat := accept(other[0], other[1]); repeat {
			f.Errorf("%q is a repeat", other)
		}
	}
	if _, total, err := f.s.Entries(f.Context(), "u", "", 0, 10); err != nil || total != 4 {
		f.Errorf("got %d entries, %v", total, err)
	}
}

// A call that fails because its context has ended has no effect later.
func testAcceptCancelled(f *fixture) {
	e := f.entry("u")
	if _, _, err := f.s.Accept(f.cancelled(), deploy.Acceptance{Entry: e, Key: "k", Place: &deploy.Place{}}); err == nil {
		f.Fatal("the entry was accepted")
	}
	f.accept(f.entry("v"), nil)
	if _, err := f.s.Find(f.Context(), e.ID); !errors.Is(err, core.ErrNotFound) {
		f.Errorf("got %v", err)
	}
	f.claim("")
}

func testAcceptHuge(f *fixture) {
	e := f.entry("u")
	for i := range 2048 {
		e.Commits = append(e.Commits, fmt.Sprintf("%040d", i))
	}
	_, _, err := f.s.Accept(f.Context(), deploy.Acceptance{Entry: e, Payload: bytes.Repeat([]byte("x"), core.MaxPayload), Place: &deploy.Place{}})
	f.must(err)
	found, err := f.s.ByCommit(f.Context(), "u", e.Repository.Key(), e.Commits[2000:2001])
	if err != nil || len(found) != 1 {
		f.Errorf("got %d, %v", len(found), err)
	}
}

func testAcceptConcurrent(f *fixture) {
	var group sync.WaitGroup
	repeats := make(chan bool, 32)
	entries := make([]core.Entry, 32)
	for i := range entries {
		entries[i] = f.entry("u")
	}
	for _, e := range entries {
		group.Go(func() {
			_, repeat, err := f.s.Accept(f.Context(), deploy.Acceptance{Entry: e, Key: "same"})
			if err != nil {
				f.Error(err)
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
		f.Errorf("%d of one key were accepted", firsts)
	}
}

func testSave(f *fixture) {
	c := f.queue("lane")
	e := c.Entry
	e.Status, e.Reason, e.Error = core.StatusError, "why", &core.EntryError{Code: core.CodeStartApp}
	saved := f.finish(e, 0)
	if saved.Entry.Revision != 2 || saved.Seq.Compare(c.Seq) <= 0 {
		f.Errorf("got revision %d, seq %s after %s", saved.Entry.Revision, saved.Seq, c.Seq)
	}
	if got := f.find(e.ID); !reflect.DeepEqual(got, saved) || got.Entry.Reason != "why" {
		f.Errorf("got %+v, want %+v", got, saved)
	}
	f.claim("") // it left the queue
	f.requeue(saved.Entry, 0, deploy.Place{})
	if again := f.claim(e.ID); again.Newest != e.ID {
		f.Errorf("its lane was lost: newest %q", again.Newest)
	}
}

func testSaveConflict(f *fixture) {
	c := f.queue("lane")
	f.update(c.Entry, 0)
	if _, err := f.s.Finish(f.Context(), c.Entry, 0); !errors.Is(err, core.ErrConflict) {
		f.Errorf("got %v", err)
	}
	f.claim(c.Entry.ID) // the refused Finish did not remove it
}

func testSaveConcurrent(f *fixture) {
	c := f.queue("lane")
	var group sync.WaitGroup
	results := make(chan error, 16)
	for range 16 {
		group.Go(func() {
			_, err := f.s.Update(f.Context(), c.Entry, 0)
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
			f.Error(err)
		}
	}
	if saved != 1 || f.find(c.Entry.ID).Entry.Revision != 2 {
		f.Errorf("%d saved the same revision", saved)
	}
}

func testByCommit(f *fixture) {
	one, two, other, elsewhere, over := f.entry("u"), f.entry("v"), f.entry("u"), f.entry("u"), f.entry("u")
	shared := strings.Repeat("c", 40)
	one.Commits, two.Commit.ID = []string{strings.Repeat("d", 40), shared}, shared
	other.Repository.Name, other.Commit.ID = "Other", shared
	elsewhere.Repository.Forge, elsewhere.Commit.ID = "other.example", shared
	over.Commit.ID = shared
	for _, e := range []core.Entry{one, two, other, elsewhere} {
		f.accept(e, &deploy.Place{})
	}
	f.accept(over, nil)
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
		found, err := f.s.ByCommit(f.Context(), "", one.Repository.Key(), test.commits)
		f.must(err)
		var got []string
		for _, c := range found {
			got = append(got, c.Entry.ID)
		}
		if !slices.Equal(got, test.want) {
			f.Errorf("%v: got %v, want %v", test.commits, got, test.want)
		}
	}
}

// No user's entries hide those of another one.
func testByCommitOfUser(f *fixture) {
	accept := func(user string) string {
		e := f.entry(user)
		e.Commit.ID = strings.Repeat("c", 40)
		return f.accept(e, &deploy.Place{}).Entry.ID
	}
	one, nobodys := accept("u"), accept("")
	var many []string // newest first, as many as are returned
	for i := range 150 {
		if id := accept("v"); i >= 50 {
			many = slices.Insert(many, 0, id)
		}
	}
	for user, want := range map[string][]string{
		"":  append(slices.Clone(many), nobodys, one),
		"u": {nobodys, one},
		"v": append(slices.Clone(many), nobodys),
		"w": {nobodys},
	} {
		found, err := f.s.ByCommit(f.Context(), user, f.entry(user).Repository.Key(), []string{strings.Repeat("c", 40)})
		f.must(err)
		var got []string
		for _, c := range found {
			got = append(got, c.Entry.ID)
		}
		if !slices.Equal(got, want) {
			f.Errorf("of user %q: got %v, want %v", user, got, want)
		}
	}
}

func testNothingThere(f *fixture) {
	for _, id := range []string{"", "unknown", strings.Repeat("0", 32), "a\x00b"} {
		if _, err := f.s.Find(f.Context(), id); !errors.Is(err, core.ErrNotFound) {
			f.Errorf("find %q: %v", id, err)
		}
		if _, err := f.s.Entry(f.Context(), "u", id); !errors.Is(err, core.ErrNotFound) {
			f.Errorf("entry %q: %v", id, err)
		}
	}
	if _, err := f.s.Finish(f.Context(), f.entry("u"), 0); !errors.Is(err, core.ErrNotFound) {
		f.Errorf("save: %v", err)
	}
	unknown := deploy.Claim{Change: core.Change{Entry: f.entry("u")}, Attempt: 1}
	if _, err := f.s.Renew(f.Context(), unknown, time.Minute); err == nil {
		f.Error("a claim of an unknown entry was renewed")
	}
	if changes, err := Changes(f.Context(), f.s, "u", core.Seq{}, 10); err != nil || len(changes) != 0 {
		f.Errorf("changes: %v, %v", changes, err)
	}
	if oldest, newest, err := f.s.Bounds(f.Context(), "u"); err != nil || !oldest.IsZero() || !newest.IsZero() {
		f.Errorf("bounds: %v %v %v", oldest, newest, err)
	}
}

// A report of Travis CI may have no user.
func testNamelessUser(f *fixture) {
	e := f.entry("")
	c, _, err := f.s.Accept(f.Context(), deploy.Acceptance{Entry: e, Key: "k", Place: &deploy.Place{}})
	f.must(err)
	f.finish(f.claim(e.ID).Change.Entry, 0)
	changes, err := Changes(f.Context(), f.s, "", c.Seq, 10)
	if err != nil || len(changes) != 2 {
		f.Errorf("got %d changes, %v", len(changes), err)
	}
}

// Arguments and results may be changed by the caller.
func testSharesNoMemory(f *fixture) {
	e := f.entry("u")
	e.Steps, e.Notes = []core.Step{{Name: core.StepGate}}, []string{"a"}
	c := f.accept(e, nil)
	e.Steps[0].Name, e.Notes[0] = "changed", "changed"
	c.Entry.Steps[0].Name = "changed"
	got := f.find(e.ID)
	got.Entry.Notes[0] = "changed"
	if got := f.find(e.ID).Entry; got.Steps[0].Name != core.StepGate || got.Notes[0] != "a" {
		f.Errorf("got %+v", got)
	}
}

func testCancelledContexts(f *fixture) {
	ctx := f.cancelled()
	c := f.queue("lane")
	for name, call := range map[string]func() error{
		"Update":   func() error { _, err := f.s.Update(ctx, c.Entry, 0); return err },
		"Requeue":  func() error { _, err := f.s.Requeue(ctx, c.Entry, 0, deploy.Place{}); return err },
		"Hold":     func() error { _, err := f.s.Hold(ctx, c.Entry, 0, f.clock.Now()); return err },
		"Finish":   func() error { _, err := f.s.Finish(ctx, c.Entry, 0); return err },
		"Find":     func() error { _, err := f.s.Find(ctx, c.Entry.ID); return err },
		"ByCommit": func() error { _, err := f.s.ByCommit(ctx, "u", "a/b", nil); return err },
		"Claim":    func() error { _, _, _, err := f.s.Claim(ctx, time.Minute); return err },
		"Add":      func() error { return f.s.Outbox().Add(ctx, "a", 0) },
		"Done":     func() error { return f.s.Outbox().Done(ctx, "a") },
		"Outbox":   func() error { _, err := f.s.Outbox().Claim(ctx, nil, time.Minute); return err },
		"Entries":  func() error { _, _, err := f.s.Entries(ctx, "u", "", 0, 1); return err },
		"Changes":  func() error { _, err := f.s.Changes(ctx, "u", core.Seq{}, 1); return err },
		"Bounds":   func() error { _, _, err := f.s.Bounds(ctx, "u"); return err },
	} {
		if call() == nil {
			f.Errorf("%s ignored the cancelled context", name)
		}
	}
	if got := f.claim(c.Entry.ID).Change.Entry.Revision; got != 2 {
		f.Errorf("got revision %d", got)
	}
}
