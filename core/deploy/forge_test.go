package deploy_test

import (
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// A repository on another forge is not read from this one, though it has the same name.
func TestAnotherForgeIsRefused(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		for forge, reason := range map[string]string{
			"gitlab.example.com": "dscape/hello is on gitlab.example.com, and this server deploys from github.com", "": "does not say",
		} {
			for _, event := range []core.Event{w.push(commit1), w.build(commit1, core.BuildPassed)} {
				event.Repository.Forge = forge
				_, err := w.service.Deliver(w.t.Context(), w.request(event))
				failure := core.AsError(err)
				if failure == nil || failure.Code != core.CodeProviderNotSupported || !strings.Contains(failure.Reason, reason) {
					t.Errorf("a %s on %q: %v", event.Kind, forge, err)
				}
			}
		}
		nowhere := core.Event{Provider: core.ProviderGitHub, Kind: core.EventPing, Name: "ping"}
		w.is(w.settled(w.deliver(nowhere)), core.StatusOK, "")

		w.options.Forges = []string{"github.com", "gitlab.example.com"}
		w.service = deploy.New(w.options)
		elsewhere := w.push(commit1)
		elsewhere.Repository.Forge = "gitlab.example.com"
		w.is(w.settled(w.deliver(elsewhere)), core.StatusPending, "") // no worker runs
	})
}
