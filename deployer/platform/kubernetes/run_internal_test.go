package kubernetes

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// A command that has an input is refused, and one that has an empty one is not.
func TestWithoutInput(t *testing.T) {
	t.Parallel()
	ctx, stop := withoutInput(t.Context(), strings.NewReader("typed"))
	defer stop()
	select {
	case <-ctx.Done():
	case <-time.After(time.Minute):
		t.Fatal("it goes on")
	}
	if cause := context.Cause(ctx); core.CodeOf(cause) != core.CodePlatformInvalid {
		t.Errorf("got %v", cause)
	}
	read := &emptyInput{done: make(chan struct{})}
	ctx, stop = withoutInput(t.Context(), read)
	defer stop()
	<-read.done
	if ctx.Err() != nil {
		t.Errorf("without an input it ends by %v", context.Cause(ctx))
	}
}

// emptyInput is an empty input that reports that it was read.
type emptyInput struct {
	strings.Reader
	done chan struct{}
}

// Read implements io.Reader.
func (e *emptyInput) Read(p []byte) (int, error) {
	defer close(e.done)
	return e.Reader.Read(p)
}
