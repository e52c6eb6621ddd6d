package drones

import (
	"context"
	"errors"
	"log/slog"
	"syscall"
	"time"
)

// ErrUnknown says that the Supervisor has no such app: it was never started,
// or it was halted.
var ErrUnknown = errors.New("drones: app not running")

// Options are the settings of a [Supervisor]; only Dir has no default.
type Options struct {
	// Dir is the folder for the state, the logs and the apps' homes. Where apps
	// have users of their own, each folder above it must be open to them
	// (o+x), as must be the apps' folders and node; Start says what is not.
	Dir string

	Ready time.Duration // for a drone to accept connections; default 30 s
	Grace time.Duration // for requests to end, and again for a drone after SIGTERM; default 10 s

	Backoff     time.Duration // before the first restart of a drone, doubled for each further; default 1 s
	MaxBackoff  time.Duration // default 60 s
	Crashes     int           // so many within CrashWindow and the drone is given up; default 5
	CrashWindow time.Duration // default 60 s; a drone that stays up so long starts over at Backoff

	FirstPort, LastPort int // of the loopback ports that drones get; default 20000 to 29999

	SameUser bool   // run apps as the server's own user, even where that is root
	FirstUID uint32 // where the server is root: apps get this uid and the next ones, as uid and gid; default 50000

	Memory    int64 // bytes of data a process may have (RLIMIT_DATA); default 1 GiB
	Files     int   // open files of a process; default 4096
	Processes int   // processes and threads of an app's user; default 512

	Env    map[string]string // given to every app; an app's own env goes before
	Notify func(State)       // called after each change of an app's state, one call at a time; must not call the Supervisor
	Logger *slog.Logger      // default: discards
	Now    func() time.Time  // default time.Now
}

// Spec is what to run.
type Spec struct {
	User      string            `json:"user"`
	App       string            `json:"app"`
	Snapshot  string            `json:"snapshot"` // id, told in the State
	Subdomain string            `json:"subdomain"`
	Dir       string            `json:"dir"`   // the built folder; the drones' working folder
	Node      string            `json:"node"`  // path of the node binary
	Start     string            `json:"start"` // a shell command, or the path of a file for node
	Env       map[string]string `json:"env,omitempty"`
	Drones    int               `json:"drones"` // how many; default 1
}

// Supervisor runs apps. It may be used by several goroutines at once; calls
// for the same app wait for each other.
type Supervisor struct {
	o Options
}

// New returns a Supervisor that runs nothing yet.
func New(o Options) *Supervisor {
	return &Supervisor{o: o}
}

// Start ends what a former server left behind and then starts again what ran,
// without waiting for it to be ready: until then [Supervisor.Pick] finds
// nothing. It fails where the folder can't be used.
func (s *Supervisor) Start(ctx context.Context) error { return nil }

// Stop ends all drones: no new request, then SIGTERM, then after the grace
// time or when ctx ends SIGKILL. What ran is still written down, so that the
// next Start runs it again. No process is left when it returns.
func (s *Supervisor) Stop(ctx context.Context) error { return nil }

// Switch starts the drones of spec, waits until all accept connections, moves
// the traffic to them at once and lets the old ones, if there are any, finish
// what they have. It returns when the traffic has moved. Where a new drone
// ends or doesn't listen in time it fails with a [StartError] and the old
// ones go on serving.
func (s *Supervisor) Switch(ctx context.Context, spec Spec) error { return nil }

// Restart switches to new drones of what runs, or of what crashed and was
// given up; [ErrUnknown] where the app was not started.
func (s *Supervisor) Restart(ctx context.Context, user, app string) error { return nil }

// Halt ends the app's drones and forgets what ran; it returns when no process
// is left. Halting an app that doesn't run is no error.
func (s *Supervisor) Halt(ctx context.Context, user, app string) error { return nil }

// Destroy halts the app and removes its logs, its home and its user.
func (s *Supervisor) Destroy(ctx context.Context, user, app string) error { return nil }

// State returns how the app stands; Phase is [Stopped] where it is unknown.
func (s *Supervisor) State(user, app string) State { return State{} }

// Pick returns the address, host:port, of the app's drone with the fewest
// requests in flight; done must be called when the request has ended. ok is
// false where no drone is ready.
func (s *Supervisor) Pick(user, app string) (addr string, done func(), ok bool) {
	return "", nil, false
}

// Credential returns the app's own user, for its builds; nil where apps run
// as the server's user.
func (s *Supervisor) Credential(user, app string) (*syscall.Credential, error) { return nil, nil }

// Logs returns the app's last lines, oldest first, those of former drones and
// snapshots among them.
func (s *Supervisor) Logs(user, app string, lines int) ([]Line, error) { return nil, nil }

// LogsBetween returns the app's last rows lines that were written from `from`
// until `until`, both included, oldest first; a zero time is no bound.
func (s *Supervisor) LogsBetween(user, app string, from, until time.Time, rows int) ([]Line, error) {
	return nil, nil
}
