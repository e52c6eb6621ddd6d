package nodejitsu

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Event is something that changed what an app runs, or how it runs, other than a
// deployment of a server. Only the embedded platform has them.
type Event struct {
	Seq      uint64           `json:"seq"`
	ID       string           `json:"id"`
	Kind     string           `json:"kind"` // such as "deploy", "rollback", "crashed" or EventRolledBack
	User     string           `json:"user"`
	App      string           `json:"app"`
	By       string           `json:"by"` // the user who did it; "" for the platform
	Snapshot string           `json:"snapshot"`
	Replaced string           `json:"replaced"` // the snapshot that a user rolled back; "" for none
	URL      string           `json:"url"`
	Reason   string           `json:"reason"`
	Detail   string           `json:"detail"`
	Failure  *core.EntryError `json:"failure"` // of what a user did; nil if it went well
}

// The kinds of events that are crashes.
const (
	EventCrashed    = "crashed"
	EventRolledBack = "rolled_back" // the version before runs again
)

// Events returns the oldest events that no server has recorded. If there are none it
// waits for one, at most as long as wait.
func (c *Client) Events(ctx context.Context, wait time.Duration) ([]Event, error) {
	var answer struct{ Events []Event }
	r := request{doing: "read events", method: http.MethodGet, path: []string{"events"}, query: "wait=" + strconv.Itoa(int(wait/time.Second))}
	err := c.call(ctx, r, &answer)
	return answer.Events, err
}

// RemoveEvents removes the events up to and including that with the number seq, which
// the server has recorded.
func (c *Client) RemoveEvents(ctx context.Context, seq uint64) error {
	return c.call(ctx, request{doing: "remove events", method: http.MethodDelete, path: []string{"events", strconv.FormatUint(seq, 10)}}, nil)
}
