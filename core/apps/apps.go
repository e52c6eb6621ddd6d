// Package apps is the use case of managing what a user runs on the platform: its
// apps, their versions, environment, domains and logs.
package apps

import (
	"context"
	"time"
)

// App is an application of a user.
type App struct {
	Name      string
	URL       string // of the app; "" if the platform does not say
	State     string // "started", "stopped" or "crashed"
	Reason    string // of the last crash; "" if there was none
	Drones    int    // that run
	Memory    int64  // bytes that they use; 0 if the platform does not say
	Domains   []string
	Env       map[string]string
	Snapshots []Snapshot // the newest first
	ChangedAt time.Time
}

// Running returns the id of the snapshot that runs; "" if none does.
func (a App) Running() string {
	for _, s := range a.Snapshots {
		if s.Running {
			return s.ID
		}
	}
	return ""
}

// Snapshot is an uploaded version of an app.
type Snapshot struct {
	ID        string
	CreatedAt time.Time
	Active    bool // the next start runs it
	Running   bool
}

// Line is a line of an app's log.
type Line struct {
	Time   time.Time
	Drone  int
	Stderr bool
	Text   string
}

// Platform runs apps. Implementations may be called concurrently.
//
// The methods fail with core.ErrNotFound if there is no such app. Temporary errors
// are wrapped with core.Transient.
type Platform interface {
	// Apps returns the user's apps, by name.
	Apps(ctx context.Context, user string) ([]App, error)
	// App returns an app.
	App(ctx context.Context, user, app string) (App, error)
	// Logs returns the last n lines of an app's log, the oldest first.
	Logs(ctx context.Context, user, app string, n int) ([]Line, error)
	// Restart starts what runs again, with the app's environment, without losing a
	// request. It returns when the app answers.
	Restart(ctx context.Context, user, app string) error
	// Stop stops the app.
	Stop(ctx context.Context, user, app string) error
	// Rollback starts the snapshot in place of what runs, and returns when it answers. If
	// it fails, the app is unchanged.
	Rollback(ctx context.Context, user, app, snapshot string) error
	// Run starts the active snapshot in place of what runs, and returns when it
	// answers.
	Run(ctx context.Context, user, app string) error
	// SetEnv replaces the app's environment.
	SetEnv(ctx context.Context, user, app string, env map[string]string) error
	// SetDomains replaces the app's own domains.
	SetDomains(ctx context.Context, user, app string, domains []string) error
}
