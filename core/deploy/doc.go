// Package deploy is the use case that the service exists for: a delivery is
// proved, understood and accepted by [Service.Deliver]; a [Worker] takes it
// from the queue and brings it to its outcome.
//
// The files, in the order of what happens:
//
//	request.go   what comes in and what is answered
//	service.go   Service and its Options: Deliver, Wait, Release
//	prove.go     who sent the delivery
//	decide.go    what becomes of its event
//	worker.go    claiming entries, keeping the claim, giving it up
//	attempt.go   one attempt at an entry: steps recorded, failures judged
//	pipeline.go  the steps of a deployment
//	notify.go    telling outcomes, also what a dead process owes
//	gate.go      waiting for Travis CI, and what its reports release
//	package.go   reading package.json
//	tarball.go   the one stream from the source to the platform
//	archive.go   what of a tarball is let through
//
// Every exported call may be made concurrently, and from several processes
// that share one Store: revisions and leases keep them apart.
package deploy
