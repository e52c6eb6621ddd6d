// Package nodejitsu is a client of the Nodejitsu API, which the embedded
// platform speaks and any other platform of that kind.
//
//	client := nodejitsu.New(nodejitsu.Options{
//		Endpoint: func() string { return "http://127.0.0.1:8001" },
//		Username: "maciej",
//		Password: func() core.Secret { return password },
//	})
//	app, err := client.App(ctx, "maciej", "my-app")
//
// A [Client] has a method for each call of the API. A [Platform] is made of
// one and serves the use cases: it puts calls together so that they may be
// repeated without harm, and is what deploy.Platform, deploy.Accounts and
// auth.Accounts of module core ask for.
//
// # Facts
//
// The hosted platform closed in 2015. What is relied on here is what the npm
// packages nodejitsu-api 0.6.6 and jitsu 0.15.0 rely on: errors are JSON with
// `error` and `message`; the answer to a snapshot's upload is the build's
// output as text, and its trailer x-build-failure says that the build failed.
// Those packages send a start, a stop and the like to the URL of each datacenter
// that the app is in; this client sends all calls to its endpoint, as a platform
// of today is one datacenter.
//
// # Errors
//
// What the platform refuses is an [Error]; with errors.Is it is
// core.ErrUnauthorized, core.ErrForbidden or core.ErrNotFound where it means
// that. What passes is marked by core.Transient: a network that fails, 408,
// 429, 502, 503 and 504, and a 500 that doesn't say what failed. Nothing is
// tried twice here. No error holds a credential or a URL.
package nodejitsu
