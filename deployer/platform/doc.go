// Package platform is the embedded platform: it stores users and their apps,
// builds uploaded snapshots and runs them on this machine, and serves the API that
// package nodejitsu is a client of.
//
//	p := platform.New(platform.Options{Dir: "/var/lib/webhooks/platform"})
//	if err := p.Start(ctx); err != nil { … } // starts what ran before
//	defer p.Stop(context.Background())
//	client := nodejitsu.New(nodejitsu.Options{
//		Endpoint: p.URL, Username: core.ServiceUser, Password: p.Key,
//	})
//
// It is assembled from the packages below it: accounts, snapshots (built by
// builds), apps (run by processes), the router that sends requests to them, and
// the API.
//
// # Files
//
//	Dir/platform.key   the password of the service user
//	Dir/platform.db    users, tokens and apps (bbolt)
//	Dir/archives/      the uploaded snapshots
//	Dir/builds/        the built snapshots, npm's home for each app,
//	                   and the dependencies that its snapshots share
//	Dir/cache/         temporary folders of builds, and versions of Node.js
//	Dir/drones/        state of the drones, the apps' homes and logs
package platform
