package deploy

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// record is the entry of an attempt. The attempt changes it and saves it; the
// build's output and the newest entry of the lane come from other goroutines. The
// lock is held for as long as a field is read or set, never during a call.
type record struct {
	*engine

	mu     sync.Mutex
	entry  core.Entry
	output tail
	newest string // id of another entry that the lane or the app should end up with; "" for none
}

// get returns a copy of the entry.
func (r *record) get() core.Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entry.Clone()
}

// set changes the entry.
func (r *record) set(change func(e *core.Entry)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.entry)
}

// note adds a note to the entry, once.
func (r *record) note(text string) {
	r.set(func(e *core.Entry) {
		if text != "" && !slices.Contains(e.Notes, text) {
			e.Notes = append(e.Notes, text)
		}
	})
}

// noteNewest notes which entry the lane, or the app, should end up with.
func (r *record) noteNewest(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id != "" && id != r.entry.ID {
		r.newest = id
	}
}

// newer returns the id of the entry that the lane, or the app, should end up with
// instead of this one; "" for none.
func (r *record) newer() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.newest
}

// write is a call of the Store that writes the next revision of an entry.
type write func(ctx context.Context, e core.Entry) (core.Change, error)

// save writes the next revision of the entry. It is called by one goroutine at a
// time. Every try writes the same, so that a Store can recognize what it did
// already.
func (r *record) save(ctx context.Context, name string, to write) error {
	r.mu.Lock()
	r.entry.UpdatedAt = r.Now()
	r.entry.Output = r.output.String()
	entry := r.entry.Clone()
	r.mu.Unlock()
	return r.retry(ctx, name, func(ctx context.Context) error {
		change, err := to(ctx, entry)
		if err == nil {
			r.set(func(e *core.Entry) { e.Revision = change.Entry.Revision })
		}
		return err
	})
}

// maxSteps is how many steps an entry shows: the last ones of its attempts.
const maxSteps = 100

// begin adds a step to the entry.
func (r *record) begin(name core.StepName, attempt int) {
	r.set(func(e *core.Entry) {
		if n := len(e.Steps); n >= maxSteps {
			e.Steps = slices.Clone(e.Steps[n-maxSteps+1:])
		}
		e.Steps = append(e.Steps, core.Step{Name: name, State: core.StepRunning, Attempt: attempt, StartedAt: r.Now()})
		e.Reason = ""
	})
}

// end sets how the last step ended. It is saved with what follows.
func (r *record) end(state core.StepState, detail string) {
	r.mu.Lock()
	step := &r.entry.Steps[len(r.entry.Steps)-1]
	took := r.Now().Sub(step.StartedAt)
	step.State, step.Detail, step.Millis = state, clip(detail, 1<<10), took.Milliseconds()
	name := step.Name
	r.mu.Unlock()
	r.Observer.Step(name, state, took)
}

// outputEvery is how often the output of a build is saved while it runs.
const outputEvery = time.Second

// follow saves the output of a build while it comes, until stop is closed.
func (r *record) follow(ctx context.Context, to write, stop <-chan struct{}) {
	ticker := time.NewTicker(outputEvery)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		r.mu.Lock()
		changed := r.entry.Output != r.output.String()
		id, uuid := r.entry.ID, r.entry.UUID
		r.mu.Unlock()
		if !changed {
			continue
		}
		if err := r.save(ctx, "update", to); err != nil {
			// The next step fails with the same and is the one that matters.
			r.Logger.WarnContext(ctx, "build output not saved", "entry_id", id, "uuid", uuid, "error", err)
			return
		}
	}
}

// Write adds to the build's output.
func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.output.Write(p)
	return len(p), nil
}

// clearOutput forgets the output of an earlier build.
func (r *record) clearOutput() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.output = tail{}
}

// tail keeps the last part of a text.
type tail struct{ text []byte }

const maxOutput = 32 << 10

func (t *tail) Write(p []byte) {
	t.text = append(t.text, p...)
	if over := len(t.text) - maxOutput; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
}

func (t *tail) String() string { return strings.ToValidUTF8(string(t.text), "\uFFFD") }

// clip returns at most the last n bytes of text as valid UTF-8: the end of an
// error says what it was.
func clip(text string, n int) string {
	if len(text) > n {
		text = "…" + text[len(text)-n:]
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
