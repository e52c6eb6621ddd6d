package github

import (
	"encoding/json"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/gitpush"
	"github.com/nodejitsu/webhooks/providers/internal/golden"
)

// Every payload is read or refused with a code, and an event can be stored: it is
// valid, bounded, and can be encoded as JSON.
func FuzzParse(f *testing.F) {
	for name, payload := range golden.Payloads(f) {
		f.Add(name, payload)
		f.Add("", payload)
		f.Add("push", payload)
	}
	f.Add("push", []byte(push(`"commits":[{"id":"`+sha("c")+`"}]`)))
	f.Fuzz(func(t *testing.T, name string, payload []byte) {
		d := core.Delivery{Header: event(name), Body: payload, Payload: payload}
		resembles := Provider{}.Resembles(d)
		e, err := Provider{}.Parse(d)
		if err != nil {
			if core.CodeOf(err) != core.CodeProviderNotSupported {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if !json.Valid(payload) {
			t.Fatal("read what is not JSON")
		}
		if name == "" && !resembles {
			t.Fatal("read a payload that resembles none of GitHub")
		}
		check(t, e)
	})
}

func check(t *testing.T, e core.Event) {
	t.Helper()
	if _, err := json.Marshal(e); err != nil {
		t.Fatal(err)
	}
	for _, id := range append([]string{}, e.Commits...) {
		if !core.ValidCommit(id) {
			t.Fatalf("commit %q", id)
		}
	}
	if e.Kind == core.EventPush {
		if !core.ValidRepositoryPart(e.Repository.Owner) || !core.ValidRepositoryPart(e.Repository.Name) {
			t.Fatalf("repository %+v", e.Repository)
		}
		if e.Branch != "" && e.Tag != "" || !e.Deleted && e.Tag == "" && !core.ValidCommit(e.Commit.ID) {
			t.Fatalf("event %+v", e)
		}
	}
	if len(e.Commits) > gitpush.MaxCommits || len(e.Commit.Message) > 16<<10 || len(e.Name) > 100 || e.Name == "" {
		t.Fatalf("event %+v", e)
	}
}
