// Package serve is the HTTP server that every listener of the program is made
// of. It needs nothing but the standard library.
//
//	s := serve.New(serve.Options{Name: "listen", Addr: ":8080", Logger: logger})
//	if err := s.Listen(ctx); err != nil {
//		return err // "address already in use", for example
//	}
//	s.Serve(handler)
//	defer s.Stop(ctx)
//
// What net/http leaves open is decided here once:
//
//   - how many connections there may be, in total and from one address (package
//     connlimit), and that a request beyond them is answered 503;
//   - how long a client may take (package slowclient for handlers without a
//     time limit of their own), and how many HTTP/2 streams it may reset;
//   - who the client is: which proxies are believed ([Proxies]), and that the
//     programs which this machine runs for others are not (package peercred);
//   - which requests must be the last on their connection;
//   - how it stops: requests have half of the time to end by themselves.
//
// Package throttle slows down clients that guess credentials, and package
// episode logs what happens a thousand times in a few lines.
package serve
