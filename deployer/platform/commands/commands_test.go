package commands_test

import (
	"testing"
	"testing/synctest"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/commands"
)

// End ends commands at once, waits for them, and lets no other one begin.
func TestEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var set commands.Set
		one, doneOne, err := set.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		two, doneTwo, err := set.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var release func()
		go func() { release = set.End() }()
		synctest.Wait()
		if one.Err() == nil || two.Err() == nil {
			t.Error("a command goes on")
		}
		doneOne()
		synctest.Wait()
		if release != nil {
			t.Error("it did not wait for the second command")
		}
		doneTwo()
		synctest.Wait()
		if _, _, err := set.Begin(t.Context()); core.CodeOf(err) != core.CodePlatformBusy {
			t.Errorf("while commands are ended: %v", err)
		}
		release()
		_, done, err := set.Begin(t.Context())
		if err != nil {
			t.Fatalf("afterwards: %v", err)
		}
		done()
	})
}
