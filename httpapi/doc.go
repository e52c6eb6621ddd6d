// Package httpapi serves the HTTP API of webhooks, on Gin: it decodes requests,
// calls the use cases of module core and encodes what they say. It knows status
// codes, headers and bytes, and nothing of stores, providers or platforms.
//
//	api := httpapi.New(httpapi.Options{
//		Deploy: deploys, Status: statuses, Auth: auths,
//		NewUUID: func() string { return uuid.Must(uuid.NewV7()).String() },
//	})
//	s := serve.New(serve.Options{Name: "listen", Addr: ":8080", Overload: api.Overload()})
//	if err := s.Listen(ctx); err != nil {
//		return err
//	}
//	s.Serve(api.Handler())
//	defer s.Stop(ctx) // after api.Drain and api.EndFeeds
//
// Gin's mode is a global of Gin; the program sets it before New:
// gin.SetMode(gin.ReleaseMode).
//
// # Routes
//
//	POST /, /1/deploy                          a delivery
//	GET  /1/status/:user/webhooks[/:app]       entries, newest first
//	GET  /1/status/:user/changes               the feed
//	GET  /1/status/:user/changes/:id           one entry
//	POST /1/status/:user/changes/:id/release   let a held entry go on
//	POST /1/connect/:forge                     make a webhook of a repository
//	POST /1/auth/:forge                        pair with an account on a forge, such as github
//	GET  /:user/:repository.svg, .png          a badge
//	GET  /openapi.json                         this API in the form of OpenAPI
//	GET  /healthz, /readyz
//	GET  /, /-/                                the dashboard, see package dashboard
//
// A route for GET is one for HEAD too. Each is served with and without a trailing
// slash, never by a redirect, which GitHub does not follow (isaacs/github#574).
package httpapi
