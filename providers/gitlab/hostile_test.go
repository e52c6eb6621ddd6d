package gitlab

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
			"object_kind", "event_name", "ref", "before", "after", "checkout_sha", "commits", "commits.id", "project",
			"project.path_with_namespace", "project.web_url", "project.default_branch", "repository.homepage",
		},
		"pipeline": {
			"object_attributes", "object_attributes.sha", "object_attributes.ref", "object_attributes.tag", "object_attributes.status",
			"object_attributes.source", "object_attributes.id", "merge_request", "project.path_with_namespace",
		},
		"build": {"sha", "ref", "build_status", "repository.homepage"},
	} {
		for _, path := range paths {
			plain, escaped := golden.Twice(t, payloads[name], path)
			for _, payload := range [][]byte{plain, escaped} {
				_, err := Provider{}.Parse(deliver(t, string(payload)))
				if failure := core.AsError(err); failure == nil || !strings.Contains(failure.Reason, "twice") {
					t.Errorf("%s: %s twice: %v", name, path, err)
				}
			}
		}
	}
}

func TestHostilePayloads(t *testing.T) {
	t.Parallel()
	golden.Hostile(t, golden.Payloads(t), func(_ string, payload []byte) (core.Event, error) {
		return Provider{}.Parse(core.Delivery{Header: header(""), Body: payload, Payload: payload})
	})
}

func FuzzParse(f *testing.F) {
	for _, payload := range golden.Payloads(f) {
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		d := core.Delivery{Header: header(""), Body: payload, Payload: payload}
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
