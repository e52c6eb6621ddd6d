// Package builds makes a runnable folder of a snapshot: it unpacks the tgz that
// was uploaded, finds out how the app is built (package project), fetches the
// Node.js and the package manager that it asks for, installs its dependencies,
// runs its build scripts, and removes what only these needed.
//
// The archive and everything that runs of it are a stranger's. So the archive
// is verified before anything of it is written (package safetar), and package
// managers and scripts get a process group, a home and an environment of their
// own: nothing of the server's environment but what [Options] names. With a
// credential in the [Snapshot] they also run as another user. Time, output and
// room on the disk are bounded.
//
// What was installed by a lockfile is kept for later builds of the same app that
// ask for the same (package depcache), and so is what build tools keep.
//
//	b := builds.New(builds.Options{Cache: "/var/lib/webhooks/cache"})
//	result, err := b.Build(ctx, builds.Snapshot{Tgz: body, Dir: dir}, response)
//	if core.CodeOf(err) == core.CodePlatformBuildFailed {
//		// The app's author can mend it; the reason says how.
//	}
package builds
