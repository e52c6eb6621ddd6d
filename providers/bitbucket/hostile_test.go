package bitbucket

import (
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/golden"
)

// A field that decides what is deployed is refused if it occurs twice.
func TestFieldsThatDecideOccurOnce(t *testing.T) {
	t.Parallel()
	payloads := golden.Payloads(t)
	for name, paths := range map[string][]string{
		"repo-push": {
			"push", "push.changes", "push.changes.new", "push.changes.old", "push.changes.new.type", "push.changes.new.name",
			"push.changes.new.target", "push.changes.new.target.hash", "push.changes.commits.hash", "repository", "repository.full_name",
		},
		"repo-refs_changed.commits": {
			"eventKey", "changes", "changes.ref", "changes.ref.id", "changes.fromHash", "changes.toHash", "changes.type",
			"toCommit", "toCommit.id", "toCommit.message", "repository.slug", "repository.project", "repository.project.key", "repository.links", "repository.links.self", "repository.links.self.href",
		},
		"repo-commit_status_updated": {"commit_status", "commit_status.state", "commit_status.links", "commit_status.links.commit", "commit_status.links.commit.href"},
	} {
		for _, path := range paths {
			plain, escaped := golden.Twice(t, payloads[name], path)
			for _, payload := range [][]byte{plain, escaped} {
				_, err := Provider{}.Parse(deliver(t, header(event(name)), string(payload)))
				if failure := core.AsError(err); failure == nil || !strings.Contains(failure.Reason, "twice") {
					t.Errorf("%s: %s twice: %v", name, path, err)
				}
			}
		}
	}
}

func TestHostilePayloads(t *testing.T) {
	t.Parallel()
	golden.Hostile(t, golden.Payloads(t), func(name string, payload []byte) (core.Event, error) {
		return Provider{}.Parse(core.Delivery{Header: header(event(name)), Body: payload, Payload: payload})
	})
}

func FuzzParse(f *testing.F) {
	for name, payload := range golden.Payloads(f) {
		f.Add(event(name), payload)
	}
	f.Fuzz(func(t *testing.T, event string, payload []byte) {
		d := core.Delivery{Header: header(""), Body: payload, Payload: payload}
		d.Header["X-Event-Key"] = []string{event}
		Provider{}.Resembles(core.Delivery{Payload: payload})
		e, err := Provider{}.Parse(d)
		switch {
		case err == nil:
			golden.CheckEvent(t, e)
		case core.CodeOf(err) != core.CodeProviderNotSupported:
			t.Fatal(err)
		}
	})
}
