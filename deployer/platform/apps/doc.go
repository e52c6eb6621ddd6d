// Package apps keeps the platform's applications: what each is, which snapshots
// it has, and what runs.
//
// # A deployment
//
// A version that is started becomes visible in one step, after it serves: its
// drones are started beside those that run; when they are ready, one transaction
// makes the snapshot the active one, with the address, the domains and the
// environment that its package.json asks for; then requests go to it. What it
// replaced stays up until the new version has served for some seconds. If it
// fails before that, all is as it was before, and so it is if the server is
// killed meanwhile.
//
// For a minute after that the version is on trial: if one of its drones crashes,
// what ran before is started again, with its code, environment and addresses.
//
// What people set by the API is kept apart from what a package.json says, which
// is kept with its snapshot and comes first: so starting an older snapshot brings
// back its environment and addresses, and what a commit removes is gone.
//
// # What is stored
//
//	bucket  key              value
//	apps    USER/APP         JSON: the document, its snapshots in it
//	hosts   s SUBDOMAIN      USER/APP
//	hosts   d DOMAIN         USER/APP
//
// Environments are sealed (package seal). A snapshot is written after its files,
// and removed before them, so what is written can always be run.
package apps
