// Package field converts values of payloads to fields of a core.Event that are
// safe to store, to compare and to display: of bounded length, in one form, and
// empty if the payload's value is invalid.
package field
