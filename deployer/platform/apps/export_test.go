package apps

import (
	"context"
	"time"
)

// Tick starts the commands that are to run in a minute.
func (a *Apps) Tick(ctx context.Context, minute time.Time) { a.tick(ctx, minute) }

// OnTrial reports whether what runs of an app is on trial.
func (a *Apps) OnTrial(user, app string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.trials[key(user, app)] != nil
}
