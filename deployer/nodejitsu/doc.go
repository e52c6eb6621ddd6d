// Package nodejitsu is a client of the Nodejitsu API, which the embedded platform
// and compatible platforms implement.
//
//	client := nodejitsu.New(nodejitsu.Options{
//		Endpoint: func() string { return "http://127.0.0.1:8001" },
//		Username: "maciej",
//		Password: func() core.Secret { return password },
//	})
//	app, err := client.App(ctx, "maciej", "my-app")
//
// A [Client] has a method for each call of the API. A [Platform] wraps a Client
// for the use cases: it combines calls so that they can be repeated safely, and
// implements deploy.Platform, deploy.Accounts and auth.Accounts of module core.
//
// # Protocol
//
// The hosted platform closed in 2015. This package relies on what the npm packages
// nodejitsu-api 0.6.6 and jitsu 0.15.0 rely on: errors are JSON with `error` and
// `message`; the response to a snapshot's upload is the build's output as text,
// and its trailer x-build-failure says that the build failed. Those packages send
// a start or a stop to the URL of each datacenter that the app is in; this client
// sends all calls to its endpoint, as a platform is one datacenter.
//
// # Errors
//
// If the platform refuses a call, the error is an [Error], for which errors.Is
// reports core.ErrUnauthorized, core.ErrForbidden or core.ErrNotFound. Temporary
// errors are wrapped with core.Transient: network failures, 408, 429, 502, 503
// and 504, and a 500 without a reason. The client does not retry. No error
// contains a credential or a URL.
package nodejitsu
