// Package processes is the runner that runs apps as processes of this machine,
// called drones: it keeps them up, switches from one version to the next without
// losing a request, and keeps their logs.
//
//	r := processes.New(processes.Options{Dir: "/var/lib/webhooks/drones"})
//	if err := r.Start(ctx); err != nil { … }
//	defer r.Stop(context.Background())
//	candidate, err := r.Launch(ctx, version) // runs beside what ran before
//	candidate.Promote()                      // gets the requests
//	candidate.Commit()                       // what ran before ends
//	addr, done, ok := r.Pick("maciej", "my-app") // for the router
//
// # What runs
//
// A drone is ready when it accepts connections and its health path, if there is
// one, answers well. One that ends, or that stops listening on its port, is
// started again after pauses that grow to five minutes.
//
// # How a drone is held together
//
// A drone leads a process group of its own and carries a variable,
// WEBHOOKS_DRONE, that all it starts inherits: by both its descendants are
// found and ended with it, also those that left the group, and also after the
// server itself was killed. So nothing is left twice: a server that starts
// ends what carries its mark before it starts anything.
//
// If the server is root each app has a user of its own, which no other app
// gets while others are free. Nothing that an app starts can gain rights
// (no_new_privs, no capabilities, no user namespaces), what it creates is open to
// its user alone (umask 077), and it comes after the server if the processor is
// short.
//
// Its limits are those of setrlimit(2): open files, processes (which count
// threads, and are set only if the app has its own user, as they count per
// user), and memory as RLIMIT_DATA of a process, since Node.js reserves far
// more address space than it uses and RLIMIT_AS would end it at once. If the
// server has a control group of version 2 to itself, each drone gets one below
// it, which limits the memory and the processes of all the drone's together.
// The space that an app takes on the disk is not limited.
package processes
