// Package redistest starts real Redis servers for tests: single ones, a master
// with Sentinels, and a Cluster. It needs redis-server, from Debian's package
// of that name.
package redistest
