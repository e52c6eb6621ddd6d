// Package group runs a command together with everything it starts, and ends
// all of it.
//
// A process is known as a member by these signs. It is in the process group of
// the command; its environment holds the command's mark in [Variable], which
// children inherit and which still stands when a process has left the group
// (setsid, a double fork) or the server has been killed. Nobody leaves the two
// others: the command's control group, where there is one ([Cgroups]), and where
// the command runs as another user than the server its supplementary group id.
//
// The leader stays a zombie until the rest has ended, so that its number,
// which is the group's number, can't be given to a stranger meanwhile.
//
// All of this is Linux: /proc, waitid(2) with WNOWAIT, prctl(2), cgroups(7).
package group
