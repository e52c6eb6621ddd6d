package builds

import (
	"context"
	"io"
	"log/slog"
	"syscall"
	"time"
)

// Options are the settings of a [Builder]; only Cache has no default.
type Options struct {
	// Cache is the folder for what outlives a build: npm's cache, a home for
	// each user that builds, and the Node.js versions that were fetched. Other
	// users must be able to reach it where builds have a credential.
	Cache string

	Node  string   // path of the node that runs npm; default: from PATH
	Npm   string   // path of npm; default: from PATH
	Nodes []string // paths of further nodes that apps may run on

	Registry string            // URL of the npm registry; default: npm's own
	Env      map[string]string // added to npm's environment, such as NODE_EXTRA_CA_CERTS

	Timeout     time.Duration // for a whole build; default 10 minutes
	Grace       time.Duration // between SIGTERM and SIGKILL; default 5 seconds
	MaxUnpacked int64         // bytes an archive may unpack to; default 512 MiB
	MaxEntries  int           // files, folders and links in an archive; default 50,000
	MaxOutput   int64         // bytes of npm's output that are passed on; default 1 MiB

	Logger *slog.Logger // default: discards
}

// Snapshot is what to build.
type Snapshot struct {
	Tgz io.Reader // a gzipped tar with one top folder, package/
	Dir string    // where to; must not exist or be empty, its parent must exist

	// Credential is the user that owns Dir and runs npm; nil: the server's own.
	Credential *syscall.Credential
}

// Result is a build that succeeded.
type Result struct {
	Node    string // path of the node to run the app with
	Version string // of that node, such as "20.20.2"
	Package Package
}

// Builder builds snapshots. It may be used by several goroutines at once.
type Builder struct {
	o Options
}

// New returns a Builder. It reads and runs nothing yet.
func New(o Options) *Builder {
	return &Builder{o: o}
}

// Build unpacks s.Tgz into s.Dir, without its top folder, and installs its
// dependencies there. What happens is written to out as text while it happens;
// an error in writing it does not end the build. Where Build fails it leaves
// s.Dir away. [Blame] tells whether the app's author or the server is at
// fault.
func (b *Builder) Build(ctx context.Context, s Snapshot, out io.Writer) (Result, error) {
	return Result{}, nil
}
