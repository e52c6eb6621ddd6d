package core_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

func TestSeq(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]core.Seq{
		"0":                      {},
		"0-0":                    {},
		"1764000000000-3":        {Millis: 1764000000000, N: 3},
		"7":                      {Millis: 7},
		"18446744073709551615-0": {Millis: 1<<64 - 1},
	} {
		got, err := core.ParseSeq(text)
		if err != nil || got != want {
			t.Errorf("ParseSeq(%q) = %v, %v, want %v", text, got, err, want)
		}
		if again, err := core.ParseSeq(got.String()); err != nil || again != got {
			t.Errorf("%q does not come back from %q: %v, %v", text, got.String(), again, err)
		}
	}
	for _, bad := range []string{"", "-", "-1", "a", "1-b", "1-2-3", " 1", "1 ", "+1", "1_0", "0x1", "18446744073709551616"} {
		if got, err := core.ParseSeq(bad); err == nil {
			t.Errorf("ParseSeq(%q) = %v, want an error", bad, got)
		}
	}
}

func TestSeqOrder(t *testing.T) {
	t.Parallel()
	ordered := []core.Seq{{}, {N: 1}, {Millis: 1}, {Millis: 1, N: 1}, {Millis: 1, N: 10}, {Millis: 2}, {Millis: 10}}
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := a.Compare(b), sign(i-j); got != want {
				t.Errorf("%s against %s is %d, want %d", a, b, got, want)
			}
		}
		if a.IsZero() != (i == 0) {
			t.Errorf("%s.IsZero() = %t", a, a.IsZero())
		}
	}
}

func sign(n int) int { return max(-1, min(1, n)) }

// The order is kept if the clock does not move, is set back or is before 1970.
func TestSeqNext(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(5000)
	first := core.Seq{}.Next(at)
	if want := (core.Seq{Millis: 5000}); first != want {
		t.Errorf("the first is %s, want %s", first, want)
	}
	last := first
	for _, now := range []time.Time{at, at, at.Add(-time.Hour), time.Unix(-5, 0), at.Add(time.Millisecond), at} {
		next := last.Next(now)
		if next.Compare(last) <= 0 {
			t.Errorf("%s at %s is not after %s", next, now, last)
		}
		last = next
	}
	if want := (core.Seq{Millis: 5001, N: 1}); last != want {
		t.Errorf("the last is %s, want %s", last, want)
	}
}

func change(status core.Status) core.Change {
	return core.Change{Seq: core.Seq{Millis: 1764000000000, N: 3}, Entry: core.Entry{
		ID: "2b3de47c2ce04a9dda4d31aac5000bab", UUID: "0192-uuid", User: "dscape", App: "hello-world-api-flatiron",
		Status: status, Provider: core.ProviderTravis,
		Repository: core.Repository{Owner: "dscape", Name: "hello-world-flatiron-api"},
		Commit:     core.Commit{ID: "96410ed970f6224a4cd3c450150c5d65bbc77fcd", Message: "a <b> & \"c\""},
		Steps:      []core.Step{},
	}}
}

const short = `{"seq":"1764000000000-3","id":"https://example.com/1/status/dscape/changes/2b3de47c2ce04a9dda4d31aac5000bab",` +
	`"app_name":"hello-world-api-flatiron","uuid":"0192-uuid","status":"ok","provider":"travis",` +
	`"commit":"dscape/hello-world-flatiron-api/96410ed970f6224a4cd3c450150c5d65bbc77fcd"}`

func TestLine(t *testing.T) {
	t.Parallel()
	line, err := core.NewLine(change(core.StatusOK))
	if err != nil {
		t.Fatal(err)
	}
	if line.Seq.N != 3 || line.App != "hello-world-api-flatiron" || line.Status != core.StatusOK {
		t.Errorf("the line has seq %v, app %q and status %q", line.Seq, line.App, line.Status)
	}
	got := string(line.AppendTo([]byte("x"), "https://example.com", core.DocNever))
	if got != "x"+short {
		t.Errorf("got  %s\nwant %s", got, "x"+short)
	}
	if text := line.AppendTo(nil, "", core.DocAlways); line.Size() > len(text) || line.Size() < len(text)-20 {
		t.Errorf("Size is %d, the whole text has %d bytes", line.Size(), len(text))
	}
}

// An entry without a user, such as a report that only Travis CI signed, has no id;
// an event without a commit has an empty one.
func TestLineWithoutParts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*core.Entry)
		id     string
		commit string
	}{
		"whole":      {func(*core.Entry) {}, "http://h/1/status/dscape/changes/2b3de47c2ce04a9dda4d31aac5000bab", "dscape/hello-world-flatiron-api/96410ed970f6224a4cd3c450150c5d65bbc77fcd"},
		"no user":    {func(e *core.Entry) { e.User = "" }, "", "dscape/hello-world-flatiron-api/96410ed970f6224a4cd3c450150c5d65bbc77fcd"},
		"repository": {func(e *core.Entry) { e.Commit = core.Commit{} }, "http://h/1/status/dscape/changes/2b3de47c2ce04a9dda4d31aac5000bab", ""},
		"neither":    {func(e *core.Entry) { e.User, e.Commit, e.Repository = "", core.Commit{}, core.Repository{} }, "", ""},
	} {
		c := change(core.StatusOK)
		test.change(&c.Entry)
		line, err := core.NewLine(c)
		if err != nil {
			t.Fatal(err)
		}
		text := line.AppendTo(nil, "http://h", core.DocAlways)
		var got map[string]any
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%s: %s: %v", name, text, err)
		}
		id, there := got["id"].(string)
		if id != test.id || there != (test.id != "") || got["commit"] != test.commit || got["seq"] != "1764000000000-3" || got["app_name"] == "" {
			t.Errorf("%s: got %s", name, text)
		}
	}
}

// The lines of a feed without docs say what happens.
func TestShortForm(t *testing.T) {
	t.Parallel()
	c := change(core.StatusPending)
	c.Entry.Steps = []core.Step{{Name: core.StepUpload, State: core.StepOK}, {Name: core.StepStart, State: core.StepRunning}}
	c.Entry.Reason, c.Entry.URL = "Waits", "http://hello.example.com"
	line, err := core.NewShortLine(c)
	if err != nil {
		t.Fatal(err)
	}
	got := string(line.AppendTo(nil, "https://example.com", core.DocNever))
	want := `,"step":{"name":"start","state":"running"},"reason":"Waits","url":"http://hello.example.com"}`
	if !strings.HasSuffix(got, want) {
		t.Errorf("got %s, want it to end in %s", got, want)
	}
}

func TestLineDoc(t *testing.T) {
	t.Parallel()
	for _, status := range core.Statuses {
		c := change(status)
		if status == core.StatusError {
			c.Entry.Error = &core.EntryError{Code: core.CodeStartApp, Reason: "It ended", Detail: "exit 1 <1>"}
		}
		line, err := core.NewLine(c)
		if err != nil {
			t.Fatal(err)
		}
		for mode, want := range map[core.DocMode]bool{
			core.DocNever: false, core.DocAlways: true, core.DocErrors: status == core.StatusError,
		} {
			text := line.AppendTo(nil, "http://h", mode)
			var got struct {
				Status core.Status
				Error  core.Code
				Reason string
				Doc    *core.Entry
			}
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if hasDoc := got.Doc != nil; hasDoc != want {
				t.Errorf("status %s, mode %d: has doc: %t, want %t", status, mode, hasDoc, want)
			}
			if got.Doc != nil && got.Doc.Commit.Message != c.Entry.Commit.Message {
				t.Errorf("doc says %q", got.Doc.Commit.Message)
			}
			if strings.Contains(string(text), `\u003c`) || slices.Contains(text, '\n') {
				t.Errorf("HTML is escaped, or there is a newline: %s", text)
			}
			if status == core.StatusError && (got.Error != core.CodeStartApp || got.Reason != "It ended") {
				t.Errorf("the short form has error %q and reason %q", got.Error, got.Reason)
			}
		}
	}
}

// The short form is encoded without the doc, which most responses don't have.
func TestShortLine(t *testing.T) {
	t.Parallel()
	for _, status := range core.Statuses {
		whole, err := core.NewLine(change(status))
		if err != nil {
			t.Fatal(err)
		}
		line, err := core.NewShortLine(change(status))
		if err != nil {
			t.Fatal(err)
		}
		want := string(whole.AppendTo(nil, "https://example.com", core.DocNever))
		for _, mode := range []core.DocMode{core.DocNever, core.DocAlways, core.DocErrors} {
			if got := string(line.AppendTo(nil, "https://example.com", mode)); got != want {
				t.Errorf("%s: got %s, want %s", status, got, want)
			}
		}
	}
}
