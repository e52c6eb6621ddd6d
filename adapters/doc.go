// Package adapters holds the module's packages, one for each thing that module
// core needs of the world and the library that it wraps:
//
//	bolt      entries, queue and changes in one file
//	redis     the same in Redis, for several servers
//	github    the code, .travis.yml, commit statuses, whose token it is
//	travis    the keys that Travis CI signs with
//	outgoing  outcomes told by signed webhooks
//	smtp      outcomes told by mail
//
// None imports another, so that an importer of one does not depend on the
// libraries of the others.
package adapters
