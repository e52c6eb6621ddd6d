// Package keeper runs a drone by a small process of its own, its keeper, so that
// it outlives the server.
//
// The keeper starts the drone's process, reads its output, and waits for its end.
// A server finds the keepers of an earlier one with [Find]. A keeper goes on until
// a server has ended its drone.
//
// # The folder of a keeper
//
// Each keeper has a folder, named by the mark of its drone (package group), in
// which it listens on a Unix socket. It holds the lock of the folder (flock(2)) as
// long as it lives: it inherits the lock from the server that starts it, so that
// there is no moment in which its folder looks abandoned.
//
// # The protocol
//
// Server and keeper may be of different versions of the program. A connection to
// the socket has one [request], a line of JSON, and its answers, a [Status] a line.
// [Protocol] is raised if a keeper's answers change so that an older server can't
// use them. A server must be able to use the keepers of all earlier protocols. What
// "status" and "end" do, and the fields protocol, keeper, pid and error, never change, so
// that a server can end a keeper whose protocol it does not know.
package keeper
