// Package apps manages the platform's applications: their documents, their
// snapshots, and what runs.
//
// # A deployment
//
// A version that is started becomes visible in one step: its release command is
// run, its drones are started beside those that run, and when they have been up for
// some seconds, one transaction makes the snapshot the active one, with the address,
// the domains and the environment of its package.json; then requests go to it. If
// the new version fails before that, or the server is killed, the app is as it was
// before. The replaced version stands by for some seconds more, so that it gets the
// requests if the new one fails under them.
//
// An app may ask that its versions never run at the same time (StopFirst). Then
// what runs is stopped before the release command, and started again if the new
// version fails.
//
// For a minute after that the version is on trial: if one of its drones crashes,
// the previous version is started again, with its environment and addresses.
//
// Settings of people are stored apart from those of a package.json, which are
// stored with its snapshot and take precedence. So starting an older snapshot
// restores its environment and addresses, and what a commit removes is gone.
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
