package processes

import (
	"context"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// started returns a runner without any apps, and stops it at the end of the test.
func started(t *testing.T) *Runner {
	t.Helper()
	r := New(Options{Dir: t.TempDir(), SameUser: true})
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return r
}

// A command that runs ends with its app, and no other begins before the caller of halt
// has removed what is left of the app.
func TestHaltHoldsBackCommands(t *testing.T) {
	t.Parallel()
	r := started(t)
	a := r.app("me", "app")
	ctx, done, err := a.commands.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	context.AfterFunc(ctx, done)
	release, err := a.halt(t.Context())
	if err != nil || ctx.Err() == nil {
		t.Fatal(err, ctx.Err())
	}
	if _, _, err := a.commands.Begin(t.Context()); core.CodeOf(err) != core.CodePlatformBusy {
		t.Errorf("a command begins before the release: %v", err)
	}
	release()
	_, done, err = a.commands.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	done()
}
