// Package deploy is the use case that the service exists for: [Service.Deliver]
// authenticates, reads and accepts a delivery, which becomes an entry; a [Worker]
// claims the entry from the queue and brings it to its outcome.
//
// The files, in the order of what happens:
//
//	options.go       what Service and Worker are made of
//	ports.go         the ports besides the store
//	store.go         the ports of the store: entries, queue, outbox
//	engine.go        what Service and Worker share
//	request.go       what comes in and what is answered
//	service.go       accept a delivery, wait for its outcome
//	manage.go        what a person does with an entry: release, redeliver, cancel
//	happened.go      what happens on the platform by other means than a delivery
//	authenticate.go  who sent a delivery
//	target.go        what the URL of a webhook asks for
//	decide.go        what becomes of an event
//	worker.go        claim entries, renew the claims, stop
//	attempt.go       one attempt at an entry, from its steps to its outcome
//	result.go        how a step, and so an attempt, may end
//	record.go        the entry of an attempt and how it is saved
//	pipeline.go      the steps of a deployment
//	forge.go         reading the repository and setting commit statuses
//	gate.go          waiting for a gate
//	checks.go        what the checks of a commit come to
//	waiting.go       waiting for checks
//	report.go        reports of builds and the pushes that they release
//	notify.go        notifications of outcomes, also those of a process that died
//	package.go       reading package.json
//	app.go           whose app it is, and what it runs
//	tarball.go       the one stream from the forge to the platform
//	archive.go       which files of a tarball are passed on, and how
//
// Every exported call may be made concurrently, and by several processes that
// share one Store: revisions and leases keep them apart.
//
// # Why it is safe to try again
//
// The queue delivers at least once. A worker claims an entry for the time of a
// lease, which it renews; if it dies, the lease expires and another worker starts
// a new attempt from the first step. So each step can be repeated without harm: a
// snapshot is named after its commit, the app and its settings are written as a
// whole. A worker that lost its claim without noticing is fenced: the store
// refuses its writes, and the platform refuses what has a lower [Order] than what
// it saw before.
//
// # Why the newest wins
//
// Entries of one branch are in one lane, and the entries that deploy one app
// claim it one after the other. An attempt ends as skipped as soon as an entry
// with a higher Order is in its lane or has claimed its app. What "newer" means
// is decided by numbers that the store gives at acceptance, never by a clock.
package deploy
