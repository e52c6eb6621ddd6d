// Package snapshots stores the files of the apps' snapshots: the archive that was
// uploaded, and the folder that it was built in.
//
//	Dir/USER/APP/ID.tgz     the uploaded archive
//	Dir/.incoming/RANDOM    an archive that is being received
//	Builds/USER/APP/ID/     the built folder, owned by the app's user
//	Builds/USER/APP/.home/  the home folder of these builds, owned by the app's user
//	Builds/USER/APP/.dependencies/
//	                        their shared dependencies, owned by the server (package depcache)
//
// The archives are readable by the server only. The apps' users need access to
// the built folders, so the folders above them can be searched, but not listed.
// Package apps records which snapshots exist. Any other files on the disk are
// left over from a server that was killed; [Store.Sweep] removes them.
package snapshots
