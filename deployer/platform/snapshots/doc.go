// Package snapshots keeps the files of the apps' snapshots: the archive that
// was uploaded, and the folder that it was built to.
//
//	Dir/USER/APP/ID.tgz     the archive, as it came
//	Dir/.incoming/RANDOM    one that is being received
//	Builds/USER/APP/ID/     the built folder, of the app's own user
//	Builds/USER/APP/.home/  the home folder of these builds, of the app's own user
//	Builds/USER/APP/.dependencies/
//	                        what they share; the server's alone (package depcache)
//
// The archives are the server's. The built folders are reached by the apps'
// users, so those above them are open to pass through, but not to list.
// Which snapshots there are is written elsewhere (package apps); what is on
// the disk beyond that is left over from a server that was killed, and
// [Store.Sweep] removes it.
package snapshots
