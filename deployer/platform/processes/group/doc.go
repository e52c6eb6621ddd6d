// Package group runs a command together with everything it starts, and ends
// all of it.
//
// A process is a member if it is in the process group of the command, or if its
// environment contains the command's mark in [Variable], which children inherit
// and which remains when a process has left the process group (setsid, a double
// fork) or the server has been killed. Two more criteria can't be evaded by a
// process: the command's control group, if there is one ([Cgroups]), and the
// supplementary group id of a command that runs as another user than the server.
//
// The leader stays a zombie until the rest has ended, so that its number,
// which is the process group's id, is not reused meanwhile.
//
// All of this is Linux: /proc, waitid(2) with WNOWAIT, prctl(2), cgroups(7).
package group
