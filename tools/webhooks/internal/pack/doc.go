// Package pack makes a snapshot of a folder, as `npm pack` does: a tgz with one
// top folder, package/.
//
//	folder, err := pack.Open(ctx, ".", pack.Limits{})
//	if err != nil { … } // no package.json, too much of it, …
//	defer folder.Close()
//	err = folder.Write(ctx, w, nil)
//
// # What is packed
//
// Regular files alone, as npm does: links are left out, and so is, wherever it
// is, what npm never packs: node_modules, the folders of version control, and
// what editors and systems leave behind.
//
// Of the rest a folder's .npmignore says what is left out, in the form of
// gitignore(5), or its .gitignore if there is none; those of folders below are
// for themselves. If package.json has `files`, that list replaces the root's.
// package.json, `main` and `bin`, a readme and a licence are packed whatever these
// say, and so are the installed packages that `bundleDependencies` names, with what
// they need.
//
// It differs from npm for the sake of a deployment: what a build goes by is packed
// whatever the files say, which is the lockfile of any package manager, its settings,
// the version of Node.js and the Procfile; .npmrc and .yarnrc.yml are packed without
// credentials; other folders node_modules never are, nor what is beside a `main` in a
// folder that is left out. What the start command names and is left out is reported.
//
// # The archive
//
// The same files make the same bytes: they are in order, with one time for
// all, without owners, and with the modes 0644 and 0755. Nothing is kept in
// memory but the list of files.
package pack
