// Package cli is the command line: a file for each command. Data goes to
// stdout, everything else to stderr; the exit code is 0 for success, 1 for a
// failure and 2 for a wrong call.
package cli
