// Package demo shows the whole of it on one machine: the server as a process
// of its own, a stand-in for GitHub over real repositories, two pushes, a
// report of Travis CI, and the two apps answering in the end.
package demo
