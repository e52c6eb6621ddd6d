// Package processes is the runner that runs apps as processes of this machine,
// called drones. It restarts drones that crash, switches from one version to the
// next without losing a request, and stores their logs.
//
//	r := processes.New(processes.Options{Dir: "/var/lib/webhooks/drones"})
//	if err := r.Start(ctx); err != nil { … }
//	defer r.Stop(context.Background())
//	candidate, err := r.Launch(ctx, version) // runs beside the previous version
//	candidate.Promote()                      // receives the requests
//	candidate.Commit(5 * time.Second)        // the previous version ends after that time
//	target, ok := r.Pick("maciej", "my-app", "") // for the router
//
// # What runs
//
// A drone is ready when it accepts connections and its health path, if it has
// one, responds with 2xx or 3xx. A version whose drones speak TLS there, and no HTTP,
// is refused, as the router could not reach them. A drone that exits, or that stops listening on
// its port, is restarted after a pause that grows up to five minutes.
//
// # Keepers
//
// If [Options.Keeper] is set, each drone is run by a process of its own, its keeper
// (package keeper): it has the drone's output, its control group and its exit. So
// the drone goes on if the server ends, and the next server, which may be another
// version of the program, takes it over: Start finds the keepers, Resume takes the
// drones of the version that it is called with, and EndOthers ends the rest. Keepers
// write to the log of the app themselves, so that no line is lost or doubled. The
// environment of an app reaches its keeper by a pipe.
//
// Without it, drones are child processes of the server; so are the commands that run
// once, always.
//
// # How the processes of a drone are tracked
//
// A drone leads its own process group and has an environment variable,
// WEBHOOKS_DRONE, that its descendants inherit. Both are used to find and end the
// descendants, even if they left the group or the server itself was killed. A
// server that starts first ends all processes with its mark that no keeper has, so
// that no app runs twice.
//
// If the server is root, each app has its own user, which is not reused while
// others are free. It finds itself in the user database under the name app, in a
// mount namespace of its own, if the server may mount files. Processes of an app cannot gain privileges (no_new_privs, no
// capabilities, no user namespaces), files they create are accessible to their
// user only (umask 077), and they have a lower CPU priority than the server.
//
// Its limits are those of setrlimit(2): open files, processes (which count
// threads, and are set only if the app has its own user, as they count per
// user), and memory as RLIMIT_DATA of a process, since Node.js reserves far
// more address space than it uses and could not start with RLIMIT_AS; of Node.js 24
// that is loose, see startup.DataLimit. All processes of a drone together may use as
// much memory: if the server has its own control group (version 2), each drone gets one
// below it, which also limits their number; otherwise the memory is read, and a
// drone that uses more is killed, see package group.
// The disk space of an app is not limited.
package processes
