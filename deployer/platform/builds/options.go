package builds

import (
	"cmp"
	"log/slog"
	"os/exec"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
)

// Options are the settings of a [Builder]; only Cache has no default.
type Options struct {
	// Cache is the folder for files that outlive a build: a home for each user that
	// builds, and the fetched Node.js versions and package managers. If snapshots
	// have a credential, that user needs access (o+x) to it and each folder above.
	Cache string

	Node  string   // path of the node that runs npm, and apps that don't require another; default: from PATH
	Npm   string   // path of npm; default: from PATH
	Nodes []string // paths of further nodes that apps may run on

	Registry string            // URL of the npm registry; default: that of npm's settings
	Env      map[string]string // added to the environment of builds

	Timeout     time.Duration // for a whole build; default 10 minutes
	Grace       time.Duration // between SIGTERM and SIGKILL; default 5 seconds
	MaxUnpacked int64         // bytes an archive may unpack to; default 512 MiB
	MaxEntries  int           // files, folders and links in an archive; default 50,000
	MaxOutput   int64         // maximum bytes of output; default 1 MiB

	// MaxDisk is the maximum disk usage of a build in bytes: of its folder, its
	// temporary folder, and the growth of its home. It is measured while programs
	// run. Files that scripts write to shared folders, such as /tmp, are not counted.
	MaxDisk      int64         // default 2 GiB
	DiskInterval time.Duration // between two checks of it; default 1 second

	Memory    int64 // bytes of all processes of a command of a build; default 2 GiB
	Files     int   // open files of a process; default 4096
	Processes int   // processes and threads of the snapshot's user, if it has one, and of a whole build if Start limits it; default 512

	// Start starts a build's processes, with limits for all of them, as
	// processes.Runner.Group does. Default: without control groups.
	Start func(cmd *exec.Cmd, mark string, limits group.Limits) (*group.Group, error)

	// Mark returns the prefix of the mark of a build's processes (see package
	// processes/group). With processes.Runner.Mark, builds of a server that was
	// killed are ended by the next one. Default: "build.".
	Mark func() string

	Logger *slog.Logger // default: discards
}

func (o Options) withDefaults() Options {
	o.Timeout = cmp.Or(o.Timeout, 10*time.Minute)
	o.Grace = cmp.Or(o.Grace, 5*time.Second)
	o.MaxUnpacked = cmp.Or(o.MaxUnpacked, 512<<20)
	o.MaxEntries = cmp.Or(o.MaxEntries, 50_000)
	o.MaxOutput = cmp.Or(o.MaxOutput, 1<<20)
	o.MaxDisk = cmp.Or(o.MaxDisk, 2<<30)
	o.DiskInterval = cmp.Or(o.DiskInterval, time.Second)
	o.Memory = cmp.Or(o.Memory, 2<<30)
	o.Files = cmp.Or(o.Files, 4096)
	o.Processes = cmp.Or(o.Processes, 512)
	if o.Start == nil {
		o.Start = (*group.Cgroups)(nil).Start
	}
	if o.Mark == nil {
		o.Mark = func() string { return "build." }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
