package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
)

// event is a server-sent event, as a browser dispatches it.
type event struct{ name, id, data string }

// dispatched parses an event stream as specified in section 9.2.6 of the HTML
// standard.
func dispatched(t *testing.T, stream string) (all []event) {
	t.Helper()
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(stream)
	var e event
	var data []string
	for line := range strings.SplitSeq(text, "\n") {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "" && data != nil:
			e.data = strings.Join(data, "\n")
			all, e, data = append(all, e), event{}, nil
		case name == "data":
			data = append(data, value)
		case name == "id":
			e.id = value
		case name == "event":
			e.name = value
		case name == "" || name == "retry": // a comment, or empty
		default:
			t.Fatalf("unexpected line %q", line)
		}
	}
	return all
}

// Whatever the change and the request's host contain, a reader gets exactly one
// line of JSON or one event for the change.
func FuzzFeedForm(f *testing.F) {
	gin.SetMode(gin.ReleaseMode)
	for _, seed := range []string{"", "plain", "a\nid: 9-9\ndata: {}\n\n", "a\r\rdata: x", "\u2028\u2029\u0085", "\x00\xff", `"},{"`, ": comment", "</script>"} {
		f.Add("example.com", seed, seed)
	}
	f.Add("evil\r\n\r\ndata: x", "a", "b")
	f.Add(`a","seq":"9-9`, "a", "b")
	f.Fuzz(func(t *testing.T, host, message, reason string) {
		a := New(Options{})
		change := core.Change{Seq: core.Seq{Millis: 17, N: 1}, Entry: core.Entry{
			ID: "2b3de47c2ce04a9dda4d31aac5000bab", User: "dscape", App: message, Status: core.StatusError, Event: reason, Branch: message,
			Repository: core.Repository{Owner: message, Name: reason}, Commit: core.Commit{ID: reason, Message: message},
			Reason: reason, Error: &core.EntryError{Code: core.CodeInternal, Reason: reason, Detail: message},
		}}
		line, err := core.NewLine(change)
		if err != nil {
			t.Fatal(err)
		}
		var objects []string
		for _, events := range []bool{false, true} {
			w := httptest.NewRecorder()
			c, _ := gin.CreateTestContext(w)
			c.Request = &http.Request{Host: host, Header: http.Header{}}
			form := feedForm{base: a.base(c), docs: core.DocAlways, events: events}
			feed := &feed{form: form, out: newHTTPOutput(c.Writer, form, time.Second)}
			for _, step := range []func() error{
				feed.begin, func() error { return feed.send(form.heartbeat()) }, func() error { return feed.send(form.line(form.line(nil, line), line)) },
				func() error { return feed.last(failure{Error: core.CodeChangesFatal, Reason: reason}) },
			} {
				if err := step(); err != nil {
					t.Fatal(err)
				}
			}
			text := w.Body.String()
			if !events {
				for one := range strings.Lines(text) {
					if one != "\n" {
						objects = append(objects, strings.TrimSuffix(one, "\n"))
					}
				}
				continue
			}
			all := dispatched(t, text)
			if len(all) != 3 || all[0] != all[1] || all[0].id != "17-1" || all[0].name != "" || all[2].name != "error" || all[2].id != "" {
				t.Fatalf("%q is parsed as %+v", text, all)
			}
			for i, one := range all {
				if len(objects) != 3 || one.data != objects[i] {
					t.Fatalf("event %d has %q, the lines are %q", i, one.data, objects)
				}
			}
		}
		var got struct {
			Seq string     `json:"seq"`
			ID  string     `json:"id"`
			Doc core.Entry `json:"doc"`
		}
		if err := json.Unmarshal([]byte(objects[0]), &got); err != nil {
			t.Fatalf("%s: %v", objects[0], err)
		}
		// JSON can't represent invalid UTF-8.
		want := string([]rune(message))
		if got.Seq != "17-1" || !strings.HasSuffix(got.ID, "/1/status/dscape/changes/"+change.Entry.ID) || got.Doc.Commit.Message != want {
			t.Fatalf("%q was sent as %+v", message, got)
		}
	})
}
