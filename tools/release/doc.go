// Command release keeps the seven modules of this workspace in step and
// releases them together.
//
// On main every module requires its siblings at the next version, one number
// for all, and replaces them with the folders beside it. Nobody else can use a
// module in that state: a consumer ignores replace lines and the version does
// not exist yet, and "go install" refuses a module that has any. So a release
// is a commit of its own beside main: the same tree, without the replaces in
// the modules it tags, with the go.sum lines their siblings need, and with a
// go.work whose versioned replaces let a checkout of the tag build with nothing
// but its third-party modules at hand. Main never points to it; the tags do.
//
//	release check         says whether main could be released
//	release sync          lifts third-party modules to the same version in every module
//	release set v0.2.0    begins the next version
//	release tag           makes the release commit and its six tags
//
// The commit is put together with git's plumbing in an index of its own, so the
// work tree, its index and the branch are never touched.
package main
