// Package runner is the port between the platform's apps and what runs them, such
// as processes on this machine. Package runnertest has the tests that each
// implementation must pass.
package runner

import (
	"context"
	"io"
	"maps"
	"reflect"
	"time"
)

// Runner runs apps. It keeps the drones of each app up: a drone that ends, or no
// longer accepts connections, is started again after a pause that grows with
// each crash. It does not remember what runs across a restart of the platform:
// the caller calls Resume. Implementations must be safe for concurrent use, but
// the calls of Launch, its Candidate, Resume, Halt and Destroy for one app are
// never concurrent.
type Runner interface {
	// Start makes the runner ready for the other calls.
	Start(ctx context.Context) error
	// Stop ends all drones, gracefully until ctx ends, unless the runner leaves them
	// to the next platform, whose Resume takes them over.
	Stop(ctx context.Context) error

	// Launch starts the drones of v beside those that run, the web process last,
	// and returns when all are ready: those without a port when they are started.
	// If they don't become ready it fails with
	// core.CodePlatformStartFailed, whose detail has their last lines, and ends
	// them. Requests go to the previous drones until Candidate.Promote.
	Launch(ctx context.Context, v Version) (Candidate, error)
	// Resume starts v, of an app that does not run, or takes over its drones that an
	// earlier platform left running, and does not wait for those that it starts.
	Resume(ctx context.Context, v Version) (launch string, err error)
	// Halt ends an app's drones and commands, and returns when none is left.
	// Halting an app that doesn't run is not an error.
	Halt(ctx context.Context, user, app string) error
	// Destroy halts an app and removes its log, its data and its files.
	Destroy(ctx context.Context, user, app string) error

	// Run runs a command once as the app, with the code and the environment of v,
	// and returns how it ended. It is independent of what runs. When ctx ends, it
	// ends the command and fails with the error of ctx.
	Run(ctx context.Context, v Version, c Command) (Exit, error)

	// CheckLimits fails with core.CodePlatformInvalid if the runner can't enforce
	// limits; its reason says why.
	CheckLimits(l Limits) error

	// State returns the state of an app; [Stopped] if it is unknown.
	State(user, app string) State
	// Memory returns how much memory the app's drones use, in bytes; 0 if none runs,
	// or if it is not known.
	Memory(user, app string) int64
	// Pick returns the drone that the next request to an app goes to. client
	// identifies the client if the app is sticky; "" if it is not known. ok is false
	// if no drone is ready.
	Pick(user, app, client string) (t Target, ok bool)

	// Refused reports that a picked address did not accept a connection. Other
	// addresses are picked instead, as long as there are any.
	Refused(user, app, addr string)

	// Logs returns the last rows lines of an app's log that were written from
	// `from` until `until`, the oldest first; a zero time means unbounded.
	Logs(user, app string, from, until time.Time, rows int) ([]Line, error)
	// Note adds a line of the platform to an app's log.
	Note(user, app, text string)
}

// Candidate is a version that is ready, beside the one that runs. It ends with
// Commit or Abort.
type Candidate interface {
	// Launch identifies the candidate in a Crash.
	Launch() string
	// Promote routes requests to the candidate. The previous version stays up.
	Promote()
	// Watch returns nil once all drones have been up for d. If one of them ends, it
	// fails at once as Launch does; if one no longer accepts connections, it does so
	// when it has not for a while. If the candidate was promoted, requests go to the
	// previous version when none of its drones is left.
	Watch(ctx context.Context, d time.Duration) error
	// Commit keeps the candidate up from then on, and ends the previous version
	// after standby, once its requests have ended. Until then it gets the requests
	// whenever no drone of the candidate is ready.
	Commit(standby time.Duration)
	// Abort ends the candidate, and routes requests to the previous version.
	Abort()
}

// Version is a version of an app with all that it needs to run.
type Version struct {
	User, App   string
	Snapshot    string            // id
	Subdomain   string            // passed to the app
	Domains     []string          // hosts that the app has besides its subdomain
	Root        string            // the snapshot's built files, Dir is in it
	Dir         string            // folder that commands run in
	Node        string            // path of the Node.js binary
	NodeVersion string            // its version
	Path        []string          // folders of programs that the app finds, besides those of Node.js and the system
	Start       string            // shell command of the web process, or the path of a file for Node.js; "" if there is none
	Static      string            // folder of a static site, which is served in place of a web process; "" if the app is not one
	Fallback    string            // file in it that answers unknown paths; "" if there is none
	Processes   map[string]string // shell commands of the other processes, which have no port, by name
	Health      string            // path that answers 2xx or 3xx once a drone is ready; if empty, a drone is ready when it accepts connections
	Env         map[string]string // environment of the app
	Sticky      bool              // requests of a client go to the same drone while it is ready
	StopFirst   bool              // no drone may be started in the place of one that has not ended
	Limits      Limits
	Drones      int      // number of web processes, or if the app has none, of each other process
	Order       string   // of the start: a later one compares greater; "" is before all
	Snapshots   []string // ids of all snapshots of the app: what a runner has of others may be removed
}

// Same reports whether both are the same version with the same environment: only
// the number of drones, the order and the app's other snapshots may differ.
func (v Version) Same(other Version) bool {
	same := maps.Equal(v.Env, other.Env)
	v.Env, v.Drones, v.Order, v.Snapshots = other.Env, other.Drones, other.Order, other.Snapshots
	return same && reflect.DeepEqual(v, other)
}

// Target is the drone that a request goes to.
type Target struct {
	Addr   string // host:port
	Done   func() // must be called when the request has ended
	Sticky bool   // the next requests of the client should go there too
}

// Limits limit each drone, and each command. What is 0 is the runner's default.
type Limits struct {
	Memory    int64   // bytes
	CPUs      float64 // processors
	Processes int     // processes and threads
}

// Command is a command to run once.
type Command struct {
	Name  string    // of its lines in the app's log, such as "release"
	Shell string    // shell command
	In    io.Reader // its standard input, which may still be read after Run has returned; nil: none. A runner without input fails if In has some
	Out   io.Writer // receives all that the command writes; nil: the app's log
}

// Exit is how a command ended.
type Exit struct {
	Code   int    // of the process; as a shell has it, 128 and the signal's number if it was ended by one
	Reason string // such as "exited with code 1"
	Detail string // the last lines that it wrote, unless Command.Out got them
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
	Snapshot  string    // that runs or is to run; "" if stopped
	Drones    int       // number of ready drones; those of the web process, if there is one
	Wanted    int       // number of drones to keep up, likewise
	Restarts  int       // of drones since the version was started
	Reason    string    // of the last crash since then; "" if there was none
	Next      time.Time // when a crashed drone is started again; zero if none waits
	Since     time.Time // when the phase began
}

// Crash is an unexpected end of a drone, or of its listening.
type Crash struct {
	User, App, Snapshot string
	Launch              string // the Candidate or Resume that it belongs to
	Process             string // "" for the web process
	Drone               int
	Reason              string        // a sentence for the app's author
	Detail              string        // the last lines that the drone wrote
	Pause               time.Duration // until it is started again
	Again               bool          // it has crashed before without having been up for a while
}

// Stream is the source of a log line.
type Stream string

// The streams of a log.
const (
	Stdout   Stream = "stdout"
	Stderr   Stream = "stderr"
	Platform Stream = "platform" // written by the platform itself
)

// Line is a line of an app's log.
type Line struct {
	Time    time.Time `json:"time"`
	Process string    `json:"process,omitempty"` // name of the process or command; "" for the web process
	Drone   int       `json:"drone"`             // counted from 1 within the drones of the process
	Stream  Stream    `json:"stream"`
	Text    string    `json:"text"` // valid UTF-8 without the newline, at most 64 KiB
}
