// Package runner is the port between the platform's apps and what runs them: the
// processes of this machine, or something else that runs versions of an app and
// switches between them. Package runnertest has the tests that each
// implementation must pass.
package runner

import (
	"context"
	"maps"
	"reflect"
	"time"
)

// Runner runs apps. It keeps the drones of each app up: one that ends, or does
// not accept connections any more, is started again after a pause, which grows
// with each time. What runs is not remembered over a restart of the platform: the
// caller has it resumed. Implementations may be called concurrently, but each app
// by one caller at a time in Launch, its Candidate, Resume, Halt and Destroy.
type Runner interface {
	// Start makes the runner ready for the other calls.
	Start(ctx context.Context) error
	// Stop ends all drones, with grace as far as ctx leaves time.
	Stop(ctx context.Context) error

	// Launch starts the drones of v beside those that run, and returns when all
	// are ready. If they don't get ready it fails with
	// core.CodePlatformStartFailed, whose detail has their last lines, and
	// leaves nothing. Requests go to those of before until Candidate.Promote.
	Launch(ctx context.Context, v Version) (Candidate, error)
	// Resume runs v, of an app of which nothing runs, and does not wait for it.
	Resume(ctx context.Context, v Version) (launch string, err error)
	// Halt ends an app's drones, and returns when none is left. Halting an app
	// that doesn't run is not an error.
	Halt(ctx context.Context, user, app string) error
	// Destroy halts an app and removes its log and its files.
	Destroy(ctx context.Context, user, app string) error

	// State returns the state of an app; [Stopped] if it is unknown.
	State(user, app string) State
	// Pick returns the address, host:port, that the next request to an app goes
	// to; done must be called when the request has ended. ok is false if there is
	// none.
	Pick(user, app string) (addr string, done func(), ok bool)

	// Refused says that an address that was picked did not accept a connection.
	// Others are picked instead, as long as there are any.
	Refused(user, app, addr string)

	// Logs returns the last rows lines of an app's log that were written from
	// `from` until `until`, the oldest first; a zero time is no bound.
	Logs(user, app string, from, until time.Time, rows int) ([]Line, error)
	// Note adds a line of the platform to an app's log.
	Note(user, app, text string)
}

// Candidate is a version that is ready, beside the one that runs. It ends with
// Commit or Abort.
type Candidate interface {
	// Launch identifies the candidate in a Crash.
	Launch() string
	// Promote has requests go to the candidate. What ran before stays up.
	Promote()
	// Prove returns nil once all drones have been up for d. If one of them ends
	// or does not accept connections any more, it fails at once as Launch does,
	// and requests go to what ran before if no drone of the candidate is left.
	Prove(ctx context.Context, d time.Duration) error
	// Commit ends what ran before, once its requests have ended, and keeps the
	// candidate up from now on.
	Commit()
	// Abort ends the candidate, and requests go to what ran before.
	Abort()
}

// Version is a version of an app, and what it needs to run.
type Version struct {
	User, App string
	Snapshot  string            // id
	Subdomain string            // that the app sees
	Dir       string            // built folder
	Node      string            // path of the Node.js binary
	Path      []string          // folders of programs that the app finds, besides those of Node.js and the system
	Start     string            // shell command, or the path of a file for Node.js
	Health    string            // path that answers 2xx or 3xx once a drone is ready; "": it is when it accepts connections
	Env       map[string]string // of the app
	Drones    int               // how many
}

// Same reports whether both are the same version with the same environment: only
// the number of drones may differ.
func (v Version) Same(other Version) bool {
	same := maps.Equal(v.Env, other.Env)
	v.Env, v.Drones = other.Env, other.Drones
	return same && reflect.DeepEqual(v, other)
}

// Phase is the state of an app in one word.
type Phase string

// The phases of an app.
const (
	Stopped  Phase = "stopped"  // it was halted or never started
	Starting Phase = "starting" // no drone is ready yet
	Started  Phase = "started"  // at least one drone is ready
	Crashed  Phase = "crashed"  // no drone is ready, as they crashed again and again; the next start is at State.Next
)

// State is the state of an app.
type State struct {
	User, App string
	Phase     Phase
	Snapshot  string    // what runs, or should; "" if stopped
	Drones    int       // that are ready
	Wanted    int       // that should be
	Restarts  int       // of drones since the version was started
	Reason    string    // of the last crash since then; "" if there was none
	Next      time.Time // when a drone that crashed is started again; zero if none waits
	Since     time.Time // when the phase began
}

// Crash is the end of a drone that nobody asked for, or of its listening.
type Crash struct {
	User, App, Snapshot string
	Launch              string // which Candidate, or Resume, it was of
	Drone               int
	Reason              string        // a sentence for the app's author
	Detail              string        // the last lines that the drone wrote
	Pause               time.Duration // until it is started again
	Again               bool          // it has crashed before without having been up for a while
}

// Stream says where a line of a log comes from.
type Stream string

// The streams of a log.
const (
	Stdout   Stream = "stdout"
	Stderr   Stream = "stderr"
	Platform Stream = "platform" // written by the platform itself
)

// Line is a line of an app's log.
type Line struct {
	Time   time.Time `json:"time"`
	Drone  int       `json:"drone"` // counted from 1 within the app's drones
	Stream Stream    `json:"stream"`
	Text   string    `json:"text"` // valid UTF-8 without the newline, at most 64 KiB
}
