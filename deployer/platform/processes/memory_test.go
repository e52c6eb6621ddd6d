package processes_test

import (
	"testing"

	"github.com/nodejitsu/webhooks/deployer/platform/processes"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{})
	if got := b.Memory("me", "app"); got != 0 {
		t.Errorf("an unknown app uses %d bytes", got)
	}
	b.mustSwitch(b.app("app", "serve.js"))
	const least, most = 10 << 20, 1 << 30 // of a process of Node.js
	if got := b.Memory("me", "app"); got < least || got > most {
		t.Errorf("the app uses %d bytes", got)
	}
	if err := b.Halt(t.Context(), "me", "app"); err != nil {
		t.Fatal(err)
	}
	if got := b.Memory("me", "app"); got != 0 {
		t.Errorf("a stopped app uses %d bytes", got)
	}
}
