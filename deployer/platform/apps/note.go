package apps

import (
	"context"
	"fmt"

	"github.com/nodejitsu/webhooks/core"
)

// The app's own log has a line for each change of what it runs, so that its author
// sees there what the platform did, and why.

// noteStart notes that a snapshot is being started in an app that d describes.
func (a *Apps) noteStart(d document, id string) {
	from, text := d.running(), ""
	switch {
	case from == "":
		text = "starting snapshot " + id
	case from == id:
		text = "restarting snapshot " + id
	case d.older(id, from):
		text = fmt.Sprintf("rolling back from snapshot %s to %s", from, id)
	default:
		text = fmt.Sprintf("starting snapshot %s beside %s", id, from)
	}
	a.o.Runner.Note(d.User, d.Name, text)
}

// noteStarted notes that requests go to a snapshot.
func (a *Apps) noteStarted(d document, id string) {
	a.o.Runner.Note(d.User, d.Name, fmt.Sprintf("snapshot %s is started and gets the requests", id))
}

// noteFailure notes that a snapshot did not start in an app that d describes.
func (a *Apps) noteFailure(ctx context.Context, d document, id string, err error) {
	rest := "nothing runs"
	if from := d.running(); from != "" {
		rest = from + " still runs"
	}
	a.o.Runner.Note(d.User, d.Name, fmt.Sprintf("snapshot %s did not start: %s; %s", id, reasonOf(ctx, err), rest))
}

// reasonOf returns why a snapshot did not start, in words for the app's author.
func reasonOf(ctx context.Context, err error) string {
	switch failed := core.AsError(err); {
	case ctx.Err() != nil:
		return "the start was canceled"
	case failed.Code != core.CodePlatformStartFailed:
		return "the platform failed, and its own log has the reason"
	default:
		return failed.Reason
	}
}
