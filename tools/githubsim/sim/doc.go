// Package sim is a stand-in for GitHub: its REST API over real git
// repositories on disk, the webhooks it sends after a push, and Travis CI's
// notifications. It is for demonstrations and tests, on the loopback
// interface, and keeps nothing but the repositories.
//
//	server := sim.New(sim.Options{Dir: dir})
//	if err := server.Start(ctx, "127.0.0.1:0", "127.0.0.1:0"); err != nil {
//		return err
//	}
//	defer server.Stop(ctx)
//	server.AddUser("octo", "token", []string{"repo"})
//	gitDir, err := server.CreateRepository(ctx, "octo", "hello", false)
//	ping, err := server.Hook(ctx, "octo", "hello", "http://127.0.0.1:9001/1/deploy", sim.HookOptions{})
//	// … git push gitDir main …
//	deliveries, err := server.Pushed(ctx, "octo", "hello")
//
// A push goes to the repository's folder by its path, with git itself;
// [Server.Pushed] then finds what has changed since it last looked and delivers
// the webhook for each ref. Tarballs are served from a second address, as
// GitHub has them on another host.
//
// The shapes of answers and deliveries follow docs.github.com (REST API
// 2022-11-28, "Webhook events and payloads") and, for Travis CI, the public
// repository travis-ci/travis-tasks. Faults are made with [Server.Fail],
// [Server.Hold] and [Server.RateLimit]; [Server.Requests] returns the requests so
// far, with the host of each.
package sim
