// Package field turns what stands in a payload into fields of a core.Event
// that are safe to keep, to compare and to show: bounded, in one form, and
// empty where the payload's are not what they should be.
package field
