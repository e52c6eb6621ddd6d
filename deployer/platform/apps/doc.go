// Package apps keeps the platform's applications: what each is, which
// snapshots it has, and what runs.
//
// # What is written
//
//	bucket  key              value
//	apps    USER/APP         JSON: the document, its snapshots in it
//	hosts   s SUBDOMAIN      USER/APP
//	hosts   d DOMAIN         USER/APP
//
// What runs is not written here: the supervisor of drones knows, and starts it
// again after a restart. A snapshot is written when its files stand, and
// removed before they are, so what is written can always be run.
package apps
