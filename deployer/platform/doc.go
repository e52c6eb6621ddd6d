// Package platform is the embedded platform: it keeps users and their apps,
// builds the snapshots that are uploaded and runs them on this machine, with
// the API that package nodejitsu is a client of.
//
//	p := platform.New(platform.Options{Dir: "/var/lib/webhooks/platform"})
//	if err := p.Start(ctx); err != nil { … } // what ran runs again
//	defer p.Stop(context.Background())
//	client := nodejitsu.New(nodejitsu.Options{
//		Endpoint: p.URL, Username: core.ServiceUser, Password: p.Key,
//	})
//
// It is put together from the packages below it: accounts, snapshots (built by
// builds), apps (run by processes), the router that sends requests to them, and
// the API over all of that.
//
// # Files
//
//	Dir/platform.key   what the service user proves itself with
//	Dir/platform.db    users, tokens and apps (bbolt)
//	Dir/archives/      the snapshots as they came
//	Dir/builds/        the snapshots as they are run, npm's home for each app,
//	                   and the dependencies that its snapshots share
//	Dir/cache/         temporary folders of builds, and versions of Node.js
//	Dir/drones/        what runs, the apps' homes and logs
package platform
