package drones

import (
	"cmp"
	"log/slog"
	"time"
)

// Options are the settings of a [Supervisor]; only Dir has no default.
type Options struct {
	// Dir is the folder for the state, the logs and the apps' homes. Where apps
	// have users of their own, each folder above it must be open to them
	// (o+x), as must be the apps' folders and node; Start says what is not.
	Dir string

	ReadyTimeout time.Duration // for a drone to accept connections, and its health path to answer; default 30 s
	DrainTimeout time.Duration // for the requests of drones that others have replaced to end; default 60 s
	Grace        time.Duration // for a drone to end after SIGTERM, and where an app is halted for its requests before that; default 10 s

	Backoff     time.Duration // before the first restart of a drone, doubled for each further; default 1 s
	MaxBackoff  time.Duration // default 60 s
	Crashes     int           // so many within CrashWindow and the drone is given up; default 5
	CrashWindow time.Duration // default 60 s; a drone that stays up so long starts over at Backoff

	// Trial is for how long a new version must run without a crash until the one
	// before it is forgotten. Where it is given up before that, what ran before
	// runs again. Default 60 s.
	Trial time.Duration
	// RolledBack is called when what ran before has come up again, before
	// requests go to it. It may block, but not call what changes that app.
	RolledBack func(Rollback)

	FirstPort, LastPort int // of the loopback ports that drones get; default 20000 to 29999

	SameUser bool   // run apps as the server's own user, even where that is root
	FirstUID uint32 // where the server is root: apps get uids from this one on, 10,000 of them, as uid and gid; default 50000

	Memory    int64 // bytes of data a process may have (RLIMIT_DATA), and all of a drone where it has a control group; default 1 GiB
	Files     int   // open files of a process; default 4096
	Processes int   // processes and threads of an app's own user, and of a drone where it has a control group; default 512

	Env    map[string]string // given to every app; an app's own env goes before
	Notify func(State)       // called after each change of an app's state, one call at a time; must not call the Supervisor
	Logger *slog.Logger      // default: discards
	Now    func() time.Time  // default time.Now
}

func (o Options) withDefaults() Options {
	o.ReadyTimeout = cmp.Or(o.ReadyTimeout, 30*time.Second)
	o.DrainTimeout = cmp.Or(o.DrainTimeout, time.Minute)
	o.Grace = cmp.Or(o.Grace, 10*time.Second)
	o.Backoff = cmp.Or(o.Backoff, time.Second)
	o.MaxBackoff = cmp.Or(o.MaxBackoff, time.Minute)
	o.Crashes = cmp.Or(o.Crashes, 5)
	o.CrashWindow = cmp.Or(o.CrashWindow, time.Minute)
	o.Trial = cmp.Or(o.Trial, time.Minute)
	if o.RolledBack == nil {
		o.RolledBack = func(Rollback) {}
	}
	if o.FirstPort == 0 {
		o.FirstPort, o.LastPort = 20_000, 29_999
	}
	o.LastPort = max(o.FirstPort, o.LastPort)
	o.FirstUID = cmp.Or(o.FirstUID, firstUID)
	o.Memory = cmp.Or(o.Memory, 1<<30)
	o.Files = cmp.Or(o.Files, 4096)
	o.Processes = cmp.Or(o.Processes, 512)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}
