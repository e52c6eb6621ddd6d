// Package senders holds the module providers to the payloads that other libraries
// publish, and measures it beside them. The libraries are of these tests alone, and
// their payloads are read from the module cache.
package senders
