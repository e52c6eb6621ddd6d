// Package peer tells which user of this machine is at the other end of a
// connection, so that a server can refuse some before they are asked who they
// are: such as the apps that it runs, which share its loopback interface.
//
//	server := &http.Server{ConnContext: peer.Context, Handler: handler}
//	// in handler
//	if peer.Is(r.Context(), drones.IsApp) {
//
// The kernel tells it in /proc/net/tcp and tcp6, see proc_net_tcp(5).
package peer
