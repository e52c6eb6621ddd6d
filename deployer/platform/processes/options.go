package processes

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// Options are the settings of a [Runner]; only Dir has no default.
type Options struct {
	// Dir is the folder for the state, the logs and the apps' homes. If apps
	// have their own users, these need access (o+x) to each folder above it, to
	// the apps' folders and to Node.js; Start returns an error that names a
	// folder that they can't access.
	Dir string

	ReadyTimeout time.Duration // for a drone to accept connections, and its health path to answer; default 30 s
	DrainTimeout time.Duration // for the requests of replaced drones to end; default 60 s
	Grace        time.Duration // for a drone to exit after SIGTERM, and before that for its requests if the app is halted; default 10 s

	Backoff    time.Duration // before the first restart of a drone, doubled for each further one; default 1 s
	MaxBackoff time.Duration // default 5 minutes
	Steady     time.Duration // the pause of a drone that has been up for this long is reset to Backoff; default 60 s
	CheckEvery time.Duration // the interval of the checks of each drone's port; default 2 s

	Crashed func(runner.Crash) // called when a drone has crashed; must not block; default: does nothing

	FirstPort, LastPort int // of the loopback ports that drones get; default 20000 to 29999

	SameUser bool   // run apps as the server's own user, even if that is root
	FirstUID uint32 // if the server is root, the first of 10,000 ids that apps get as uid and gid; default 50000

	Files int // open files of a process; default 4096

	// The limits of versions that have none of their own.
	Memory    int64 // bytes of all processes of a drone; default 1 GiB
	Processes int   // processes and threads of an app's own user, and of a drone with a control group; default 512

	// Keeper is the command that runs [Keep], such as this program with an
	// argument; the name of an app is added to it. Each drone is then run by a
	// process of its own, and goes on if the server is killed. Without it, drones
	// are child processes of the server.
	Keeper []string
	// KeepDrones reports whether Stop leaves the drones that have a keeper to the
	// next server; default: it ends them.
	KeepDrones    func() bool
	OrphanTimeout time.Duration // for how long a drone goes on without a server; 0: for ever

	// BuildsOnly reports whether the Runner keeps the users and the process groups of
	// builds only, and starts no app.
	BuildsOnly bool

	Notify func(runner.State) // called after each change of an app's state, one call at a time; must not call the Runner
	Logger *slog.Logger       // default: discards
	Now    func() time.Time   // default time.Now
}

func (o Options) withDefaults() Options {
	o.ReadyTimeout = cmp.Or(o.ReadyTimeout, 30*time.Second)
	o.DrainTimeout = cmp.Or(o.DrainTimeout, time.Minute)
	o.Grace = cmp.Or(o.Grace, 10*time.Second)
	o.Backoff = cmp.Or(o.Backoff, time.Second)
	o.MaxBackoff = cmp.Or(o.MaxBackoff, 5*time.Minute)
	o.Steady = cmp.Or(o.Steady, time.Minute)
	o.CheckEvery = cmp.Or(o.CheckEvery, 2*time.Second)
	if o.Crashed == nil {
		o.Crashed = func(runner.Crash) {}
	}
	if o.FirstPort == 0 {
		o.FirstPort, o.LastPort = 20_000, 29_999
	}
	o.LastPort = max(o.FirstPort, o.LastPort)
	o.FirstUID = cmp.Or(o.FirstUID, firstUID)
	o.Memory = cmp.Or(o.Memory, 1<<30)
	o.Files = cmp.Or(o.Files, 4096)
	o.Processes = cmp.Or(o.Processes, 512)
	if o.KeepDrones == nil {
		o.KeepDrones = func() bool { return false }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}
