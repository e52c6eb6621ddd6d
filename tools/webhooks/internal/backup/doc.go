// Package backup writes the data folder of a server into one archive, also while
// the server runs, and restores it.
package backup
