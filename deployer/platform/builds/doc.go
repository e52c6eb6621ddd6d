// Package builds makes a runnable folder of a snapshot: it unpacks the tgz
// that was uploaded, finds a Node.js of the range that package.json asks for,
// and installs the production dependencies with npm.
//
// The archive and everything npm runs of it are a stranger's. So the archive
// is refused whole at the first entry that would leave its folder, and npm
// gets a process group, a home and an environment of its own: nothing of the
// server's environment but what [Options] names. With a credential in the
// [Snapshot] it also runs as another user. Time, output and room on the disk
// are bounded.
//
// What npm installed by a lockfile is kept, and given to later builds of the
// same app that ask for the same (see [Trees]).
//
//	b := builds.New(builds.Options{Cache: "/var/lib/webhooks/cache"})
//	result, err := b.Build(ctx, builds.Snapshot{Tgz: body, Dir: dir}, response)
//	if reason, ok := builds.Blame(err); ok {
//		// The app's author can mend it; reason says how.
//	}
package builds
