package core_test

import (
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

func TestHeadline(t *testing.T) {
	t.Parallel()
	repo := core.Repository{Forge: "github.com", Owner: "dscape", Name: "hello-api"}
	for want, e := range map[string]core.Entry{
		"Deployed hello":                    {App: "hello", Repository: repo, Status: core.StatusOK},
		"Could not deploy hello":            {App: "hello", Status: core.StatusError},
		"Could not deploy dscape/hello-api": {Repository: repo, Status: core.StatusError},
		"Could not deploy":                  {Status: core.StatusError},
		"Deployed by-hand":                  {App: "by-hand", Kind: core.EventRelease, Event: "deploy", Status: core.StatusOK},
		"Could not roll back hello":         {App: "hello", Kind: core.EventRelease, Event: "rollback", Status: core.StatusError},
		"Rolled back hello":                 {App: "hello", Kind: core.EventRelease, Event: "rollback", Status: core.StatusOK},
		"Restarted hello":                   {App: "hello", Kind: core.EventRelease, Event: "restart", Status: core.StatusOK},
		"Stopped hello":                     {App: "hello", Kind: core.EventRelease, Event: "stop", Status: core.StatusOK},
		"hello crashed":                     {App: "hello", Kind: core.EventRelease, Event: "crash", Status: core.StatusError},
		"Deployed stop":                     {App: "stop", Kind: core.EventPush, Event: "stop", Status: core.StatusOK},
	} {
		if got := e.Headline(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
