package golden

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/nodejitsu/webhooks/core"
)

// maxEvent is more than any event may need as JSON: an entry repeats it in each of
// its changes.
const maxEvent = 128 << 10

// CheckEvent checks that an event, which may come from a hostile payload, can be
// stored, compared and displayed: it is valid and bounded, and so are its Others.
func CheckEvent(t *testing.T, e core.Event) {
	t.Helper()
	alone := e
	alone.Others = nil
	text, err := json.Marshal(alone)
	if err != nil || len(text) > maxEvent {
		t.Errorf("the event has %d bytes as JSON: %v", len(text), err)
	}
	for _, other := range e.Others {
		if len(other.Others) > 0 {
			t.Error("another event has Others itself")
		}
		CheckEvent(t, other)
	}
	if e.Name == "" || len(e.Name) > 100 || e.Provider == "" || e.Kind == "" {
		t.Errorf("the event is %q %q %q", e.Provider, e.Kind, e.Name)
	}
	if r := e.Repository; r != (core.Repository{}) && (!core.ValidRepositoryOwner(r.Owner) || !core.ValidRepositoryPart(r.Name)) {
		t.Errorf("the repository is %+v", r)
	}
	for _, id := range e.Commits {
		if !core.ValidCommit(id) {
			t.Errorf("a commit is %q", id)
		}
	}
	for _, id := range []string{e.Commit.ID, e.Before} {
		if id != "" && !core.ValidCommit(id) {
			t.Errorf("a commit is %q", id)
		}
	}
	for _, text := range []string{e.Ref, e.Branch, e.Tag, e.Commit.Message, e.Build.Message, e.Build.ID, e.Build.Type} {
		if !utf8.ValidString(text) {
			t.Errorf("%q is not UTF-8", text)
		}
	}
	switch e.Kind {
	case core.EventPush:
		checkPush(t, e)
	case core.EventBuild:
		if e.Repository.Name == "" || e.Commit.ID == "" || e.Build.State == "" {
			t.Errorf("the build is %+v", e)
		}
	}
}

func checkPush(t *testing.T, e core.Event) {
	t.Helper()
	if e.Repository.Name == "" || e.Ref == "" || e.Branch != "" && e.Tag != "" {
		t.Errorf("the push is %+v", e)
	}
	if e.Deleted != (e.Commit.ID == "") && e.Tag == "" {
		t.Errorf("the push is deleted: %t, and has the commit %q", e.Deleted, e.Commit.ID)
	}
}
