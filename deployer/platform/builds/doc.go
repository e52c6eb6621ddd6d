// Package builds builds a snapshot to a runnable folder: it unpacks the uploaded
// tgz, determines how the app is built (package project), fetches the
// Node.js and the package manager that it asks for, installs its dependencies,
// runs its build scripts, and removes what only these needed.
//
// The archive and the code in it are not trusted. The archive is verified before
// anything of it is written (package safetar), and package managers and scripts
// run in their own process group with their own home and environment, which
// contains nothing of the server's environment except what [Options] names. With a
// credential in the [Snapshot] they also run as another user. Time, output and
// disk space are limited.
//
// Dependencies that were installed from a lockfile are reused by later builds of
// the same app with the same lockfile (package depcache). The caches of build tools
// are kept as well.
//
//	b := builds.New(builds.Options{Cache: "/var/lib/webhooks/cache"})
//	result, err := b.Build(ctx, builds.Snapshot{Tgz: body, Dir: dir}, response)
//	if core.CodeOf(err) == core.CodePlatformBuildFailed {
//		// The app's author can fix it; the reason says how.
//	}
package builds
