//go:build !unix

package connlimit

// files returns how many files the process may open: there is no limit.
func files() uint64 { return most }
