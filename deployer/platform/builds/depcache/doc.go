// Package depcache keeps the dependencies that one app's builds installed, for
// later builds of the app that need the same.
//
//	cache := depcache.Cache(filepath.Join(apps, "hello", ".dependencies"))
//	_, found, err := cache.Restore(key, dir, as)
//	if !found {
//		install(dir)
//		err = cache.Save(key, dir, []string{"node_modules"}, as)
//	}
//
// The folders that are built are beside the cache's. Each entry is named by its
// key, the hash of all that its content follows from ([Key]):
//
//	KEY/tree/PLACE      what was installed at PLACE, but the server's own
//	KEY/entry.json      its places, and what of them must be copied
//	refused-KEY         nothing is to be saved by that key
//	KEY/uses/BUILD      the folder BUILD, beside the cache, was built with it
//	next-RANDOM         an entry that is being made
//	old-RANDOM          an entry that is being removed
//
// An entry is one app's alone. The package manager ran as that app's user, and
// whoever has this user, as an older version of the app that is running, could
// have changed what it wrote. So an entry must never be used by another
// app, even of the same account. Within an app there is no risk: its author can
// deploy any code.
//
// What is saved is moved, not copied, and a build gets hard links: of files
// that are the server's and that no app's user may write to, in folders of its
// own. Packages that have install scripts, and what package managers and their
// like note in files that begin with a dot, are copied instead, as they may be
// written to. Not one symbolic link for the whole: node finds a module's real
// path, and packages that look for the app above them would not find it.
//
// A build needs no entry any more once it is done: with the last link the file
// goes. So an entry may be removed at any time; one that is half removed while
// a build restores it is installed anew.
//
// Nothing is flushed to the disk: a key is of no use after the machine was
// started again, when files may be empty that were written just before.
package depcache
