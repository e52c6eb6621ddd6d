// Package receive receives webhooks with net/http: it limits the body, finds the
// provider, verifies the signature, reads the event and answers errors.
//
// [Receiver.Handler] is the whole endpoint, [Receiver.Receive] the part of a handler
// that reads a request. Providers are given by the caller, so that a program that
// receives the webhooks of one sender depends on that provider alone.
package receive
