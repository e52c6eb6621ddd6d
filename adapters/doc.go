// Package adapters has one package for each external system that module core uses,
// and the library that it wraps:
//
//	bolt      entries, queue and changes in one file
//	redis     the same in Redis, for several servers
//	github    files and tarballs, commit statuses, the user of a token
//	travis    the keys that Travis CI signs with
//	outgoing  notifications by signed webhooks
//	smtp      notifications by mail
//
// None imports another, so that an importer of one does not depend on the
// libraries of the others.
package adapters
