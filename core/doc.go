// Package core is the domain of webhooks: a delivery becomes an entry, the entry
// becomes a deployment, and every step of it is a change on the feed.
//
// # Words
//
// A [Delivery] is one HTTP POST from a sender. A [Provider] is the kind of sender,
// such as github. The provider reads an [Event] from the delivery: a push, a build
// report, a ping, or something else. The event names a [Repository], whose forge is
// the host that it is read from.
//
// An [Entry] is the record of a delivery from acceptance to outcome. Its [Status] is
// pending or held while it is live, and ok, error, skipped or ignored once it has an
// outcome. Its Order is given by the store at acceptance and says which of two
// entries is newer. A push may have to pass a gate, such as Travis CI: until the
// reports of that gate have come, one for each key, the entry is held, and its
// [Hold] says what it waits for. A [Step] is a named part of the deployment.
//
// A [Change] is a revision of an entry, and its [Seq] its place in the feed, the
// stream of a user's changes.
//
// An [Error] has a [Code] of the catalogue, a reason for a person and a cause for the
// log. A [Secret] is a credential, which is never printed.
//
// # Packages
//
// This package does no I/O. The use cases are beside it, one package each: deploy,
// status and auth. They declare the ports that they need; adapters implement the
// ports, and the tests of stores run the suite of package coretest. The module
// depends on the standard library only.
package core
