// Package peercred finds out which user of this machine is at the other end of
// a TCP connection, and which sockets listen on a port.
//
// A server can use it to refuse some local users before they authenticate: for
// example the apps that it runs, which share its loopback interface.
//
//	peer := peercred.New(conn)
//	if peer.Is(drones.IsApp) {
//		// refuse
//	}
//
// It asks the kernel about one socket by netlink, see sock_diag(7). What that
// costs does not depend on how many sockets there are, unlike a look into
// /proc/net/tcp, which has a line for each of them.
package peercred
