// Package drones runs applications: it keeps each app's processes, called
// drones, alive, switches from one snapshot to the next without losing a
// request, and keeps their logs.
//
//	s := drones.New(drones.Options{Dir: "/var/lib/webhooks/drones"})
//	if err := s.Start(ctx); err != nil { … } // what ran runs again
//	defer s.Stop(context.Background())
//	err := s.Switch(ctx, drones.Spec{
//		User: "maciej", App: "my-app", Snapshot: "0-1-2", Subdomain: "my-app",
//		Dir: dir, Node: result.Node, Start: result.Package.Start,
//	})
//	addr, done, ok := s.Pick("maciej", "my-app") // for the router
//
// # What runs
//
// A drone is ready when it accepts connections and its health path, if there is
// one, answers well. One that dies is started again with growing pauses, and
// given up where that happens too often. A version that replaced another one is
// on trial until it has run for a while without a crash: where all its drones
// are given up before that, what ran before runs again. So it is where the
// server was restarted meanwhile, and begins the trial anew.
//
// # How a drone is held
//
// A drone leads a process group of its own and carries a variable,
// WEBHOOKS_DRONE, that all it starts inherits: by both its descendants are
// found and ended with it, also those that left the group, and also after the
// server itself was killed. So nothing is left twice: a server that starts
// ends what carries its mark before it starts anything.
//
// Where the server is root each app has a user of its own, which no other app
// gets while there are others. Nothing that an app starts can gain rights
// (no_new_privs, no capabilities, no user namespaces), what it makes is open to its user alone
// (umask 077), and it comes after the server where the processor is short.
//
// Its limits are those of setrlimit(2): open files, processes (which count
// threads, and are set only where the app has its own user, as they count per
// user), and memory as RLIMIT_DATA of a process, since Node.js reserves far
// more address space than it uses and RLIMIT_AS would end it at once. Where the
// server has a control group of version 2 to itself, each drone gets one below
// it, which limits the memory and the processes of all the drone's together.
// The space that an app takes on the disk is not limited.
package processes
