// Package forgehttp is how adapters call the APIs of forges: a [Client] for the ones
// without a client library, and the transports that all of them use. Nothing is sent
// to a private address that the operator did not name, a credential is sent to the
// forge itself only and is in no error, and a host that keeps failing is left alone
// for a while.
package forgehttp
