package gitea

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
		"push": {
			"ref", "before", "after", "compare_url", "commits", "commits.id", "head_commit", "head_commit.id", "repository",
			"repository.name", "repository.full_name", "repository.owner", "repository.owner.login", "repository.html_url", "repository.default_branch",
		},
		"delete":             {"ref", "ref_type", "repository.name"},
		"status":             {"sha", "state", "context", "repository.name"},
		"action_run_success": {"run", "run.commit_sha", "run.status", "run.event", "run.workflow_id", "run.repository"},
		"workflow_run":       {"workflow_run", "workflow_run.head_sha", "workflow_run.status", "workflow_run.conclusion", "workflow_run.event", "workflow_run.path"},
	} {
		for _, path := range paths {
			plain, escaped := golden.Twice(t, payloads[name], path)
			for _, payload := range [][]byte{plain, escaped} {
				_, err := Provider{}.Parse(deliver(t, serverHeader("Gitea", name), string(payload)))
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
		event, _, _ := strings.Cut(name, "-")
		return Provider{}.Parse(core.Delivery{Header: serverHeader("Gitea", event), Body: payload, Payload: payload})
	})
}

func FuzzParse(f *testing.F) {
	for name, payload := range golden.Payloads(f) {
		event, _, _ := strings.Cut(name, "-")
		f.Add(event, payload)
	}
	f.Fuzz(func(t *testing.T, event string, payload []byte) {
		d := core.Delivery{Header: serverHeader("Gitea", "x"), Body: payload, Payload: payload}
		d.Header["X-Gitea-Event"] = []string{event}
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
