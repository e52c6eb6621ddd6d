// Package pack makes a snapshot of a folder, as `npm pack` does: a tgz with one
// top folder, package/.
//
//	folder, err := pack.Open(ctx, ".", pack.Limits{})
//	if err != nil { … } // no package.json, too much of it, …
//	defer folder.Close()
//	err = folder.Write(ctx, w, nil)
//
// # What is taken
//
// Regular files alone, as npm does: what is a link, or no file at all, is left
// out. So is, wherever it stands, what npm never packs: node_modules, the
// folders of version control, .npmrc, and the remains of editors and systems.
//
// Of the rest a folder's .npmignore says what is left out, in the form of
// gitignore(5), or its .gitignore where there is none; those of folders below
// speak for themselves. Where package.json has `files`, that list stands in the
// place of the root's. package.json, the lockfile, `main` and `bin`, a readme
// and a licence are taken whatever these say.
//
// It differs from npm where a deployment does: the lockfile is taken, to install
// by, and a node_modules never is, nor what stands beside a `main` in a folder
// that is left out.
//
// # The archive
//
// The same files make the same bytes: they stand in order, with one time for
// all, without owners, and with the modes 0644 and 0755. Nothing is kept in
// memory but the list of files.
package pack
